#pragma once

#include "AvatarRigMapping.h"
#include "AvatarTypes.h"
#include "Components/ActorComponent.h"
#include "CoreMinimal.h"

#include "AvatarComponent.generated.h"

class FAvatarSession;
class FAvatarSpeech;
class UAudioComponent;
class UAvatarTexture;
class UAvatarVoice;
class USkeletalMeshComponent;
class USoundWave;
class UTexture2D;
struct FAvatarSessionEvent;

DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(FAvatarStateSignature, EAvatarState, State, const FString&, Why);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(FAvatarFaultSignature, const FString&, Reason, const FString&, Message);
DECLARE_DYNAMIC_MULTICAST_DELEGATE(FAvatarSpeechStartedSignature);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(FAvatarSpeechEndedSignature, bool, bInterrupted);
DECLARE_DYNAMIC_MULTICAST_DELEGATE(FAvatarInterruptedSignature);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(FAvatarControlsAppliedSignature, int64, ChangeId);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(FAvatarTextureSignature, UTexture2D*, Texture);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(FAvatarNoticeSignature, const FString&, Text);

/** Something that waits to be said. */
USTRUCT()
struct FAvatarLine
{
	GENERATED_BODY()

	/** The sound. */
	UPROPERTY()
	TObjectPtr<USoundWave> Wave;

	/** Its phones; none: the lips follow the sound. */
	UPROPERTY()
	FAvatarPhones Phones;
};

/**
 * Gives its actor a voice with a face: speech goes to the service, is heard here, and comes back
 * as frames on a texture, as Live Link curves and as morph target weights, in sync with the sound.
 * Everything is called on the game thread, events fire there too, and nothing blocks.
 */
UCLASS(ClassGroup = (Avatar), meta = (BlueprintSpawnableComponent))
class AVATARSERVICE_API UAvatarComponent : public UActorComponent
{
	GENERATED_BODY()

public:
	UAvatarComponent();
	virtual ~UAvatarComponent() override;

	/** The service, HOST:PORT. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Connection")
	FString Target = TEXT("127.0.0.1:50551");

	/** Encrypt; needed beyond this computer. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Connection")
	bool bUseTls = false;

	/** PEM file with the roots to trust, relative to the project's Content folder; empty: the system's. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Connection")
	FString CaCertificateFile;

	/** Bearer token. Do not save one in a level: set it at run time. */
	UPROPERTY(BlueprintReadWrite, Transient, Category = "Avatar|Connection")
	FString Token;

	/** Connect as soon as play begins. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Connection")
	bool bConnectOnBeginPlay = true;

	/** JPEG, PNG or WebP file of the face, relative to the project's Content folder (add its folder to the additional non-asset directories to package). */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Face")
	FString PhotoFile;

	/** An avatar that the service has already. Without this and a photo there are curves, and no picture. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Face")
	FString AvatarId;

	/** The person on the photo: no avatar is made without a statement of consent. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Face")
	FString ConsentSubject;

	/** By what right the face is animated: "my own photo", "public domain, ...". */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Face")
	FString ConsentBasis;

	/** Who states so. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Face")
	FString ConsentStatedBy;

	/** Frames and curves per second. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Output", meta = (ClampMin = "1", ClampMax = "120"))
	int32 FrameRateHz = 40;

	/** Edge of the picture in pixels; 0: the service's default. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Output", meta = (ClampMin = "0", ClampMax = "1024"))
	int32 SizePx = 512;

	/** How the data travels. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Output")
	EAvatarTransport Transport = EAvatarTransport::Automatic;

	/** How pictures are packed on their way from another computer. JPEG and H.264 have no transparency. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Output")
	EAvatarRemoteVideo RemoteVideo = EAvatarRemoteVideo::Automatic;

	/** Live Link subject that gets the ARKit curves, head and eyes (a MetaHuman's ARKit Face Subj); None: no Live Link. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Output")
	FName LiveLinkSubject;

	/** Drives morph targets directly, without an animation graph; none: they are left alone. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Output")
	TObjectPtr<UAvatarRigMapping> RigMapping;

	/** Mesh that Rig Mapping drives; none: the actor's first skeletal mesh. */
	UPROPERTY(BlueprintReadWrite, Transient, Category = "Avatar|Output")
	TObjectPtr<USkeletalMeshComponent> Mesh;

	/** How the avatar behaves. Change it while it lives by Set Controls. */
	UPROPERTY(EditAnywhere, BlueprintReadOnly, Category = "Avatar")
	FAvatarControls Controls;

	/** From mixing a sample to hearing it, milliseconds: the device's buffers. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Audio", meta = (ClampMin = "0", ClampMax = "500"))
	float OutputLatencyMillis = 40.0f;

	/** Whether speech waits for a service that has gone. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Audio")
	EAvatarWhenLost WhenConnectionIsLost = EAvatarWhenLost::PauseSpeech;

	/** Speech that waits for the service goes on without a face after this time, seconds. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar|Audio", meta = (ClampMin = "0", ClampMax = "60"))
	float WaitForServiceSecs = 8.0f;

	/** Plays the voice; made by itself where the actor sets none. Attach and attenuate it as you like. */
	UPROPERTY(BlueprintReadWrite, Transient, Category = "Avatar|Audio")
	TObjectPtr<UAudioComponent> VoiceComponent;

	/** The frames. */
	UPROPERTY(BlueprintReadOnly, Transient, Category = "Avatar|Output")
	TObjectPtr<UAvatarTexture> Frames;

	/** The connection has changed. */
	UPROPERTY(BlueprintAssignable, Category = "Avatar")
	FAvatarStateSignature OnStateChanged;

	/** Something was refused, with the row of the service's error table and a line for a person. */
	UPROPERTY(BlueprintAssignable, Category = "Avatar")
	FAvatarFaultSignature OnFault;

	/** The first sample is about to be heard. */
	UPROPERTY(BlueprintAssignable, Category = "Avatar")
	FAvatarSpeechStartedSignature OnSpeechStarted;

	/** The last sample was heard, or Interrupt was called. */
	UPROPERTY(BlueprintAssignable, Category = "Avatar")
	FAvatarSpeechEndedSignature OnSpeechEnded;

	/** The service has dropped the speech after Interrupt. */
	UPROPERTY(BlueprintAssignable, Category = "Avatar")
	FAvatarInterruptedSignature OnInterrupted;

	/** A change made by Set Controls shows from now on. */
	UPROPERTY(BlueprintAssignable, Category = "Avatar")
	FAvatarControlsAppliedSignature OnControlsApplied;

	/** There is a (new) texture: put it into the material. */
	UPROPERTY(BlueprintAssignable, Category = "Avatar")
	FAvatarTextureSignature OnTextureCreated;

	/** Something went wrong in part; the avatar goes on. */
	UPROPERTY(BlueprintAssignable, Category = "Avatar")
	FAvatarNoticeSignature OnNotice;

	/** Connects with the properties as they are now. Does not wait: see On State Changed. */
	UFUNCTION(BlueprintCallable, Category = "Avatar")
	void Connect();

	/** Ends the session and falls silent. */
	UFUNCTION(BlueprintCallable, Category = "Avatar")
	void Disconnect();

	/** Says an imported sound wave, after those that wait already. */
	UFUNCTION(BlueprintCallable, Category = "Avatar")
	void Speak(USoundWave* Wave);

	/** Says samples that come piece by piece: -1 to 1, one or two channels, interleaved, 8000 to 48000 Hz. Close with End Speech. */
	UFUNCTION(BlueprintCallable, Category = "Avatar")
	void SpeakSamples(const TArray<float>& Samples, int32 SampleRateHz, int32 NumChannels = 1);

	/** Says an imported sound wave whose phones are known, from the synthesiser that made it: the lips follow them. */
	UFUNCTION(BlueprintCallable, Category = "Avatar")
	void SpeakWithPhones(USoundWave* Wave, const FAvatarPhones& Phones);

	/** Makes phones of Speak Samples known, with times from its first sample: before their samples, or as soon as the synthesiser tells them. */
	UFUNCTION(BlueprintCallable, Category = "Avatar")
	void SpeakPhones(const FAvatarPhones& Phones);

	/** The samples of Speak Samples are complete: the mouth closes behind the last one. */
	UFUNCTION(BlueprintCallable, Category = "Avatar")
	void EndSpeech();

	/** Barge-in: silent at once, everything that waits is dropped, the mouth closes softly. */
	UFUNCTION(BlueprintCallable, Category = "Avatar")
	void Interrupt();

	/** Changes how the avatar behaves; eased, in effect within 100 ms. Returns the id that On Controls Applied tells; 0: refused or not connected. */
	UFUNCTION(BlueprintCallable, Category = "Avatar")
	int64 SetControls(const FAvatarControls& NewControls);

	/** Where the connection stands. */
	UFUNCTION(BlueprintPure, Category = "Avatar")
	EAvatarState GetState() const { return State; }

	/** Whether something is being said or waits to be. */
	UFUNCTION(BlueprintPure, Category = "Avatar")
	bool IsSpeaking() const;

	/** An ARKit coefficient as it is shown now, 0 to 1; 0 where there is none of this name. */
	UFUNCTION(BlueprintPure, Category = "Avatar")
	float GetCurve(FName ArkitName) const;

	/** Turn of the head from rest, for a component whose X leaves the face. */
	UFUNCTION(BlueprintPure, Category = "Avatar")
	FRotator GetHeadRotation() const;

	/** Shift of the head from rest, centimetres, same axes. */
	UFUNCTION(BlueprintPure, Category = "Avatar")
	FVector GetHeadOffset() const;

	/** Session time of what is shown, seconds. */
	UFUNCTION(BlueprintPure, Category = "Avatar")
	double GetShownSecs() const;

	/** Figures of the connection and the clock. */
	UFUNCTION(BlueprintPure, Category = "Avatar")
	FAvatarStatistics GetStatistics() const;

	// UActorComponent
	virtual void BeginPlay() override;
	virtual void EndPlay(const EEndPlayReason::Type EndPlayReason) override;
	virtual void TickComponent(float DeltaTime, ELevelTick TickType, FActorComponentTickFunction* ThisTickFunction) override;

private:
	friend class FAvatarSpeech;

	/** Keeps the sound of the utterance that is played. */
	UPROPERTY(Transient)
	TObjectPtr<UAvatarVoice> Voice;

	/** What waits to be said. */
	UPROPERTY(Transient)
	TArray<FAvatarLine> Waiting;

	void Refuse(const FString& Reason, const FString& Message);
	void Handle(const FAvatarSessionEvent& Event);
	void ChangeState(EAvatarState NewState, const FString& Why);
	void UpdateFrames();
	void UpdateRig();
	void BindRig();

	TSharedPtr<FAvatarSession> Session;
	TSharedPtr<FAvatarSpeech> Speech;
	EAvatarState State = EAvatarState::Disconnected;
	uint64 FrameSeq = 0;
	FAvatarRigBinding Binding;
	TWeakObjectPtr<USkeletalMeshComponent> BoundMesh;
};
