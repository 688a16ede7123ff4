#pragma once

#include "CoreMinimal.h"
#include "Sound/SoundWaveProxyReader.h"

class USoundWave;

/** Decodes a sound wave piece by piece, in the editor and in packaged games alike. */
class FAvatarWaveReader
{
public:
	/** Null: the wave cannot be read, OutWhy says why. */
	static TUniquePtr<FAvatarWaveReader> Open(USoundWave* Wave, FString& OutWhy);

	int32 GetNumChannels() const { return NumChannels; }
	int32 GetRateHz() const { return RateHz; }

	/** The next frames as mono or stereo, interleaved; empty: the wave is over. */
	TArrayView<const float> Read();
	bool IsOver() const { return bIsOver; }

private:
	FAvatarWaveReader() = default;

	TUniquePtr<FSoundWaveProxyReader> Reader;
	Audio::FAlignedFloatBuffer Decoded;
	TArray<float> Mono;
	int32 NumWaveChannels = 0;
	int32 NumChannels = 0;
	int32 RateHz = 0;
	bool bIsOver = false;
};
