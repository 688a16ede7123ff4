#include "AvatarWaveReader.h"

#include "Sound/SoundWave.h"

namespace
{
	constexpr int32 FramesPerRead = 4096;
	constexpr int32 LowestRateHz = 8000;
	constexpr int32 HighestRateHz = 48000;
}

TUniquePtr<FAvatarWaveReader> FAvatarWaveReader::Open(USoundWave* Wave, FString& OutWhy)
{
	if (Wave == nullptr || Wave->bProcedural)
	{
		OutWhy = TEXT("only a sound wave that was imported can be said; stream other samples by Speak Samples");
		return nullptr;
	}
	const FSoundWaveProxyPtr Proxy = Wave->CreateSoundWaveProxy();
	if (!Proxy.IsValid())
	{
		OutWhy = FString::Printf(TEXT("%s cannot be decoded"), *Wave->GetName());
		return nullptr;
	}
	TUniquePtr<FAvatarWaveReader> Result(new FAvatarWaveReader());
	Result->NumWaveChannels = static_cast<int32>(Proxy->GetNumChannels());
	Result->NumChannels = FMath::Min(Result->NumWaveChannels, 2);
	Result->RateHz = FMath::RoundToInt32(Proxy->GetSampleRate());
	if (Result->NumWaveChannels > 2)
	{
		Result->NumChannels = 1;
	}
	if (Result->RateHz < LowestRateHz || Result->RateHz > HighestRateHz || Result->NumWaveChannels < 1)
	{
		OutWhy = FString::Printf(TEXT("%s has %d channels at %d Hz; 1 or more at %d to %d Hz"), *Wave->GetName(),
			Result->NumWaveChannels, Result->RateHz, LowestRateHz, HighestRateHz);
		return nullptr;
	}
	FSoundWaveProxyReader::FSettings Settings;
	Settings.MaxDecodeSizeInFrames = FramesPerRead;
	Result->Reader = FSoundWaveProxyReader::Create(Proxy.ToSharedRef(), Settings);
	if (!Result->Reader.IsValid())
	{
		OutWhy = FString::Printf(TEXT("%s cannot be decoded"), *Wave->GetName());
		return nullptr;
	}
	return Result;
}

TArrayView<const float> FAvatarWaveReader::Read()
{
	Decoded.SetNumUninitialized(FramesPerRead * NumWaveChannels);
	const int32 NumSamples = Reader->PopAudio(Decoded);
	if (NumSamples <= 0)
	{
		bIsOver = true;
		return TArrayView<const float>();
	}
	if (NumWaveChannels <= 2)
	{
		return TArrayView<const float>(Decoded.GetData(), NumSamples);
	}
	const int32 NumFrames = NumSamples / NumWaveChannels;
	Mono.SetNumUninitialized(NumFrames);
	for (int32 Frame = 0; Frame < NumFrames; ++Frame)
	{
		float Sum = 0.0f;
		for (int32 Channel = 0; Channel < NumWaveChannels; ++Channel)
		{
			Sum += Decoded[Frame * NumWaveChannels + Channel];
		}
		Mono[Frame] = Sum / static_cast<float>(NumWaveChannels);
	}
	return TArrayView<const float>(Mono.GetData(), NumFrames);
}
