#pragma once

#include "CoreMinimal.h"

#include "AvatarTypes.generated.h"

/** Where the connection stands. */
UENUM(BlueprintType)
enum class EAvatarState : uint8
{
	/** Connect has not been called, or Disconnect has. */
	Disconnected,
	/** Looking for the service, uploading the photo, opening the session. */
	Connecting,
	/** Audio is accepted, frames and curves come. */
	Ready,
	/** The service has gone: the face eases to rest until it is back. */
	Reconnecting,
	/** Will not come back by itself; On Fault says why. */
	Failed
};

/** Where the eyes look. */
UENUM(BlueprintType)
enum class EAvatarGaze : uint8
{
	/** The eyes wander as they do in life. */
	Free,
	/** The eyes hold the direction Gaze Yaw, Gaze Pitch. */
	Direction,
	/** The eyes hold the point Look At. */
	Point
};

/** What stands behind the person in the picture. */
UENUM(BlueprintType)
enum class EAvatarBackground : uint8
{
	/** The photo's own. */
	Keep,
	/** Nothing: the texture's alpha is real (straight, not premultiplied). */
	Transparent,
	/** One colour. */
	Color
};

/** Whether speech waits for a service that has gone. */
UENUM(BlueprintType)
enum class EAvatarWhenLost : uint8
{
	/** Pause, and go on with what was not yet heard when the service is back. */
	PauseSpeech,
	/** Play on; the face stays at rest. */
	KeepTalking
};

/** How the data travels. */
UENUM(BlueprintType)
enum class EAvatarTransport : uint8
{
	/** The best there is: shared memory on this computer, ZeroMQ or gRPC across hosts. */
	Automatic,
	/** Shared memory only: the service is on this computer. */
	SharedMemory,
	/** ZeroMQ only. */
	ZeroMq,
	/** Inside the gRPC connection only. */
	Grpc
};

/** How pictures are packed on their way from a service on another computer; on this one they are not. */
UENUM(BlueprintType)
enum class EAvatarRemoteVideo : uint8
{
	/** Not at all where the service offers ZeroMQ (340 Mbit/s), else JPEG. */
	Automatic,
	/** Each picture by itself: sharp. No transparency. */
	Jpeg,
	/** As video: about 1.3 Mbit/s at 512 pixels. No transparency. */
	H264
};

/** Whose names the phones have. */
UENUM(BlueprintType)
enum class EAvatarPhoneAlphabet : uint8
{
	/** As in CMUdict: AA1, SH. */
	Arpabet,
	/** International Phonetic Alphabet. */
	Ipa
};

/** One speech sound and when it is said. */
USTRUCT(BlueprintType)
struct AVATARSERVICE_API FAvatarPhone
{
	GENERATED_BODY()

	/** Of the alphabet; at most 32 bytes of UTF-8. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Speech")
	FString Symbol;

	/** Seconds from the first sample of the speech. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Speech")
	double StartSecs = 0.0;

	/** Seconds from the first sample of the speech; beyond the start. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Speech")
	double EndSecs = 0.0;
};

/** The phones of a speech, as speech synthesisers tell them: the lips then follow them instead of the sound. */
USTRUCT(BlueprintType)
struct AVATARSERVICE_API FAvatarPhones
{
	GENERATED_BODY()

	/** Of the symbols. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Speech")
	EAvatarPhoneAlphabet Alphabet = EAvatarPhoneAlphabet::Arpabet;

	/** In order, not overlapping; at most 10000. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Speech")
	TArray<FAvatarPhone> Phones;
};

/** Everything that can be steered while the avatar lives. */
USTRUCT(BlueprintType)
struct AVATARSERVICE_API FAvatarControls
{
	GENERATED_BODY()

	/** Where the eyes look. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Gaze")
	EAvatarGaze Gaze = EAvatarGaze::Free;

	/** Towards the subject's left, degrees. Used when Gaze is Direction. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Gaze", meta = (ClampMin = "-68", ClampMax = "68"))
	float GazeYawDegrees = 0.0f;

	/** Downwards, degrees. Used when Gaze is Direction. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Gaze", meta = (ClampMin = "-45", ClampMax = "45"))
	float GazePitchDegrees = 0.0f;

	/** Point to look at, centimetres from between the eyes: X out of the face, Y to the subject's right, Z up. Used when Gaze is Point. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Gaze")
	FVector LookAtCentimetres = FVector(90.0, 0.0, 0.0);

	/** 1 as photographed, 0.5 half as far from the camera. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar", meta = (ClampMin = "0.3", ClampMax = "3"))
	float Distance = 1.0f;

	/** Weights added to the emotion of the voice: neutral, happy, sad, angry, surprised, afraid, disgusted, contemptuous. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Emotion")
	TMap<FName, float> Emotion;

	/** Strength of head motion. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar", meta = (ClampMin = "0", ClampMax = "2"))
	float HeadMotion = 1.0f;

	/** Strength of facial expression. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar", meta = (ClampMin = "0", ClampMax = "2"))
	float Expression = 1.0f;

	/** Factor on the natural blink rate. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar", meta = (ClampMin = "0", ClampMax = "4"))
	float BlinkRate = 1.0f;

	/** Strength of the life in silence: breathing, sway, glances. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar", meta = (ClampMin = "0", ClampMax = "2"))
	float Idle = 1.0f;

	/** One of the service's speaking styles; empty: neutral. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar")
	FString SpeakingStyle;

	/** Who moves head and face, one of the service's motion models: mixed, transformer, rules; empty: as it is. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar")
	FString MotionModel;

	/** What stands behind the person. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Picture")
	EAvatarBackground Background = EAvatarBackground::Keep;

	/** Used when Background is Color. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Picture")
	FColor BackgroundColor = FColor(0, 0, 0, 255);

	/** Whether pictures say visibly, in a corner, that they are AI-generated; a service may always do it. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Picture")
	bool bBadge = false;

	/** Of everything drawn at random: same speech, controls and seed give the same motion. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar", meta = (ClampMin = "0"))
	int32 Seed = 0;
};

/** Figures of a running avatar. */
USTRUCT(BlueprintType)
struct AVATARSERVICE_API FAvatarStatistics
{
	GENERATED_BODY()

	/** Way that the data takes: "shared memory", "ZeroMQ", "gRPC"; empty: none yet. */
	UPROPERTY(BlueprintReadOnly, Category = "Avatar")
	FString Transport;

	/** Frames that reached the texture. */
	UPROPERTY(BlueprintReadOnly, Category = "Avatar")
	int64 FramesShown = 0;

	/** Frames that were lost on the way. */
	UPROPERTY(BlueprintReadOnly, Category = "Avatar")
	int64 FramesSkipped = 0;

	/** Reads for which nothing was due: the service or the network is too slow. */
	UPROPERTY(BlueprintReadOnly, Category = "Avatar")
	int64 ReadsStarved = 0;

	/** Bytes on the way from the service; 0 through shared memory. */
	UPROPERTY(BlueprintReadOnly, Category = "Avatar")
	int64 BytesReceived = 0;

	/** Times that the connection was opened again. */
	UPROPERTY(BlueprintReadOnly, Category = "Avatar")
	int32 NumReconnects = 0;

	/** Delay that the jitter buffer adds at present, milliseconds. */
	UPROPERTY(BlueprintReadOnly, Category = "Avatar")
	float DelayMillis = 0.0f;

	/** From session time reaching a frame to its publication in the service, median, milliseconds. */
	UPROPERTY(BlueprintReadOnly, Category = "Avatar")
	float ServerLatencyMillis = 0.0f;

	/** Session time against what is being heard, milliseconds. */
	UPROPERTY(BlueprintReadOnly, Category = "Avatar")
	float DriftMillis = 0.0f;

	/** Speed of the audio device against the computer's clock, parts per million. */
	UPROPERTY(BlueprintReadOnly, Category = "Avatar")
	float AudioRatePpm = 0.0f;
};
