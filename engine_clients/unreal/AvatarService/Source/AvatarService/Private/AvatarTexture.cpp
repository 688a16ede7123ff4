#include "AvatarTexture.h"

#include "Engine/Texture2D.h"
#include "RHITypes.h"

#include <atomic>

namespace
{
	constexpr int32 BytesPerPixel = 4;
	/** One being written, one queued, one being read by the render thread. */
	constexpr int32 NumBuffers = 3;

	struct FAvatarStagingBuffer
	{
		TArray<uint8> Pixels;
		FUpdateTextureRegion2D Region;
		std::atomic<bool> bIsBusy{false};
	};
}

/** Outlives the texture while the render thread reads from it. */
struct FAvatarStagingPool
{
	FAvatarStagingBuffer Buffers[NumBuffers];
	FIntPoint Size = FIntPoint(0, 0);
};

bool UAvatarTexture::SetSize(FIntPoint Size)
{
	if (Pool.IsValid() && Pool->Size == Size)
	{
		return false;
	}
	Texture = UTexture2D::CreateTransient(Size.X, Size.Y, PF_R8G8B8A8);
	Texture->SRGB = true;
	Texture->AddressX = TA_Clamp;
	Texture->AddressY = TA_Clamp;
	Texture->UpdateResource();
	Pool = MakeShared<FAvatarStagingPool, ESPMode::ThreadSafe>();
	Pool->Size = Size;
	for (FAvatarStagingBuffer& Buffer : Pool->Buffers)
	{
		Buffer.Pixels.SetNumUninitialized(Size.X * Size.Y * BytesPerPixel);
		Buffer.Region = FUpdateTextureRegion2D(0, 0, 0, 0, static_cast<uint32>(Size.X), static_cast<uint32>(Size.Y));
	}
	return true;
}

uint8* UAvatarTexture::BeginUpdate()
{
	check(Pool.IsValid() && Writing == INDEX_NONE);
	for (int32 Index = 0; Index < NumBuffers; ++Index)
	{
		if (!Pool->Buffers[Index].bIsBusy.exchange(true))
		{
			Writing = Index;
			return Pool->Buffers[Index].Pixels.GetData();
		}
	}
	++NumBusy;
	return nullptr;
}

void UAvatarTexture::EndUpdate(bool bIsFilled)
{
	check(Pool.IsValid() && Writing != INDEX_NONE);
	const int32 Index = Writing;
	Writing = INDEX_NONE;
	FAvatarStagingBuffer& Buffer = Pool->Buffers[Index];
	if (!bIsFilled)
	{
		Buffer.bIsBusy = false;
		return;
	}
	++NumUpdates;
	const uint32 Pitch = static_cast<uint32>(Pool->Size.X * BytesPerPixel);
	// The render thread gives the buffer back; the pool lives as long as it needs to.
	Texture->UpdateTextureRegions(0, 1, &Buffer.Region, Pitch, BytesPerPixel, Buffer.Pixels.GetData(),
		[KeptPool = Pool, Index](uint8*, const FUpdateTextureRegion2D*) { KeptPool->Buffers[Index].bIsBusy = false; });
}
