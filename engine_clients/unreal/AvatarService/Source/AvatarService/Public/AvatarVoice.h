#pragma once

#include "CoreMinimal.h"
#include "Sound/SoundWaveProcedural.h"

#include "AvatarVoice.generated.h"

class FAvatarVoiceBuffer;

/** The sound of one utterance; the Avatar component makes and plays it. */
UCLASS(NotBlueprintable)
class AVATARSERVICE_API UAvatarVoice : public USoundWaveProcedural
{
	GENERATED_BODY()

public:
	/** Before it is played. */
	void SetSource(const TSharedRef<FAvatarVoiceBuffer, ESPMode::ThreadSafe>& InBuffer);

	// USoundWaveProcedural; audio render thread
	virtual int32 OnGeneratePCMAudio(TArray<uint8>& OutAudio, int32 NumSamples) override;

private:
	TSharedPtr<FAvatarVoiceBuffer, ESPMode::ThreadSafe> Buffer;
};
