#pragma once

#include "CoreMinimal.h"
#include "UObject/Object.h"

#include "AvatarTexture.generated.h"

class UTexture2D;
struct FAvatarStagingPool;

/**
 * A texture that shows the avatar's frames: RGBA, sRGB, straight alpha, row 0 on top.
 *
 * Frames are copied into staging buffers that are used again as soon as the render thread has read
 * them, so nothing is allocated per frame.
 */
UCLASS(BlueprintType, ClassGroup = (Avatar))
class AVATARSERVICE_API UAvatarTexture : public UObject
{
	GENERATED_BODY()

public:
	/** Shows the newest frame; null until the first one has come. Bind it again after On Texture Created. */
	UPROPERTY(BlueprintReadOnly, Transient, Category = "Avatar")
	TObjectPtr<UTexture2D> Texture;

	/** Frames that were uploaded. */
	UPROPERTY(BlueprintReadOnly, Transient, Category = "Avatar")
	int64 NumUpdates = 0;

	/** Frames left out because the render thread still read all buffers. */
	UPROPERTY(BlueprintReadOnly, Transient, Category = "Avatar")
	int64 NumBusy = 0;

	/** Makes the texture of this size; true: it is a new one. Game thread. */
	bool SetSize(FIntPoint Size);

	/** Room for one frame (SetSize's, 4 bytes a pixel); null: all are being read. Game thread. */
	uint8* BeginUpdate();

	/** Uploads what BeginUpdate gave; bIsFilled false: gives it back unused. */
	void EndUpdate(bool bIsFilled);

private:
	TSharedPtr<FAvatarStagingPool, ESPMode::ThreadSafe> Pool;
	int32 Writing = INDEX_NONE;
};
