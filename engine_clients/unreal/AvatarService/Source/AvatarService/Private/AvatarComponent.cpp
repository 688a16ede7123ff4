#include "AvatarComponent.h"

#include "AvatarCurves.h"
#include "AvatarServiceModule.h"
#include "AvatarSession.h"
#include "AvatarSpeech.h"
#include "AvatarTexture.h"
#include "AvatarVoice.h"
#include "Components/SkeletalMeshComponent.h"
#include "Engine/SkeletalMesh.h"
#include "Engine/Texture2D.h"
#include "GameFramework/Actor.h"
#include "Misc/FileHelper.h"
#include "Misc/Paths.h"
#include "Sound/SoundWave.h"

namespace
{
	FString InContent(const FString& File)
	{
		return FPaths::IsRelative(File) ? FPaths::Combine(FPaths::ProjectContentDir(), File) : File;
	}

	std::string ToUtf8(const FString& Text)
	{
		return std::string(TCHAR_TO_UTF8(*Text));
	}

	uint32 ToNative(EAvatarTransport Transport)
	{
		switch (Transport)
		{
		case EAvatarTransport::SharedMemory: return AVATAR_TRANSPORT_SHM;
		case EAvatarTransport::ZeroMq: return AVATAR_TRANSPORT_ZMQ;
		case EAvatarTransport::Grpc: return AVATAR_TRANSPORT_GRPC;
		default: return 0;
		}
	}

	uint32 ToNative(EAvatarRemoteVideo Video)
	{
		switch (Video)
		{
		case EAvatarRemoteVideo::Jpeg: return AVATAR_ENCODING_JPEG;
		case EAvatarRemoteVideo::H264: return AVATAR_ENCODING_H264;
		default: return 0;
		}
	}
}

UAvatarComponent::UAvatarComponent()
{
	PrimaryComponentTick.bCanEverTick = true;
	Speech = MakeShared<FAvatarSpeech>(*this);
}

UAvatarComponent::~UAvatarComponent() = default;

void UAvatarComponent::BeginPlay()
{
	Super::BeginPlay();
	if (bConnectOnBeginPlay)
	{
		Connect();
	}
}

void UAvatarComponent::EndPlay(const EEndPlayReason::Type EndPlayReason)
{
	Disconnect();
	Speech->ReleaseAudio();
	Super::EndPlay(EndPlayReason);
}

void UAvatarComponent::Connect()
{
	Disconnect();
	FAvatarServiceModule& Module = FAvatarServiceModule::Get();
	if (!Module.GetLibraryFault().IsEmpty())
	{
		Refuse(TEXT("PROTOCOL_MISMATCH"), Module.GetLibraryFault());
		ChangeState(EAvatarState::Failed, Module.GetLibraryFault());
		return;
	}
	FAvatarSessionSettings Settings;
	Settings.Client.Target = ToUtf8(Target);
	Settings.Client.Token = ToUtf8(Token);
	Settings.Client.bTls = bUseTls;
	Settings.Client.ClientName = "unreal/0.1.0";
	if (!CaCertificateFile.IsEmpty())
	{
		FString Pem;
		if (!FFileHelper::LoadFileToString(Pem, *InContent(CaCertificateFile)))
		{
			Refuse(TEXT("INVALID_FILE"), FString::Printf(TEXT("cannot read %s"), *InContent(CaCertificateFile)));
			return;
		}
		Settings.Client.CaPem = ToUtf8(Pem);
	}
	if (!PhotoFile.IsEmpty())
	{
		TArray<uint8> File;
		if (!FFileHelper::LoadFileToArray(File, *InContent(PhotoFile)))
		{
			Refuse(TEXT("INVALID_FILE"), FString::Printf(TEXT("cannot read %s"), *InContent(PhotoFile)));
			return;
		}
		Settings.Photo.File.assign(File.GetData(), File.GetData() + File.Num());
		Settings.Photo.DisplayName = ToUtf8(GetOwner()->GetName());
		Settings.Photo.ConsentSubject = ToUtf8(ConsentSubject);
		Settings.Photo.ConsentBasis = ToUtf8(ConsentBasis);
		Settings.Photo.ConsentStatedBy = ToUtf8(ConsentStatedBy);
	}
	Settings.Session.AvatarId = ToUtf8(AvatarId);
	Settings.Session.FrameRateHz = static_cast<uint32>(FMath::Clamp(FrameRateHz, 1, 120));
	Settings.Session.SizePx = static_cast<uint32>(FMath::Max(0, SizePx));
	Settings.Session.Transports = ToNative(Transport);
	Settings.Session.Encoding = ToNative(RemoteVideo);
	Settings.Controls = Controls;
	Settings.OutputLatencyMillis = OutputLatencyMillis;
	if (!LiveLinkSubject.IsNone())
	{
		Settings.LiveLinkSubject = LiveLinkSubject;
		Settings.LiveLink = Module.AddLiveLinkSource();
	}
	if (Frames == nullptr)
	{
		Frames = NewObject<UAvatarTexture>(this);
	}
	FrameSeq = 0;
	BindRig();
	Session = FAvatarSession::Start(MoveTemp(Settings));
}

void UAvatarComponent::Disconnect()
{
	if (Session.IsValid())
	{
		Speech->Drop(true);
		FAvatarServiceModule::Get().Retire(MoveTemp(Session));
		Session.Reset();
	}
	ChangeState(EAvatarState::Disconnected, FString());
}

void UAvatarComponent::TickComponent(float DeltaTime, ELevelTick TickType, FActorComponentTickFunction* ThisTickFunction)
{
	Super::TickComponent(DeltaTime, TickType, ThisTickFunction);
	FAvatarSessionEvent Event;
	while (Session.IsValid() && Session->NextEvent(Event))
	{
		Handle(Event);
	}
	if (!Session.IsValid()) // an event's listener may have disconnected
	{
		return;
	}
	Speech->Tick();
	UpdateFrames();
	UpdateRig();
}

void UAvatarComponent::Handle(const FAvatarSessionEvent& Event)
{
	using EKind = FAvatarSessionEvent::EKind;
	switch (Event.Kind)
	{
	case EKind::State:
		if (Event.State == EAvatarState::Ready)
		{
			Speech->OnConnected();
		}
		else
		{
			Speech->OnConnectionLost();
		}
		ChangeState(Event.State, Event.Text);
		break;
	case EKind::Fault: Refuse(Event.Reason, Event.Text); break;
	case EKind::SegmentStarted: Speech->OnSegmentStarted(Event.PtsNanos); break;
	case EKind::LateAudio: Speech->OnLateAudio(Event.PtsNanos, Event.Count > 0); break;
	case EKind::ControlApplied: OnControlsApplied.Broadcast(static_cast<int64>(Event.Value)); break;
	case EKind::Interrupted:
		Speech->OnInterrupted();
		OnInterrupted.Broadcast();
		break;
	case EKind::Restarted: FrameSeq = 0; break;
	case EKind::Notice: OnNotice.Broadcast(Event.Text); break;
	}
}

void UAvatarComponent::Refuse(const FString& Reason, const FString& Message)
{
	UE_LOG(LogAvatarService, Error, TEXT("%s: %s %s"), *GetOwner()->GetName(), *Reason, *Message);
	OnFault.Broadcast(Reason, Message);
}

void UAvatarComponent::ChangeState(EAvatarState NewState, const FString& Why)
{
	if (NewState != State)
	{
		State = NewState;
		OnStateChanged.Broadcast(State, Why);
	}
}

void UAvatarComponent::UpdateFrames()
{
	FIntPoint Size;
	if (!Session->GetFrameSize(Size))
	{
		return;
	}
	if (Frames->SetSize(Size))
	{
		OnTextureCreated.Broadcast(Frames->Texture);
		if (!Session.IsValid())
		{
			return;
		}
	}
	if (uint8* Pixels = Frames->BeginUpdate())
	{
		Frames->EndUpdate(Session->CopyFrame(FrameSeq, Pixels, uint64(Size.X) * uint64(Size.Y) * 4));
	}
}

void UAvatarComponent::BindRig()
{
	Binding.Entries.Reset();
	BoundMesh.Reset();
	if (RigMapping == nullptr)
	{
		return;
	}
	USkeletalMeshComponent* Driven = Mesh != nullptr ? Mesh.Get() : GetOwner()->FindComponentByClass<USkeletalMeshComponent>();
	if (Driven == nullptr || Driven->GetSkeletalMeshAsset() == nullptr)
	{
		Refuse(TEXT("INVALID_FIELD"), TEXT("Rig Mapping is set, but the actor has no skeletal mesh"));
		return;
	}
	TArray<FString> Mismatches;
	Binding = RigMapping->Bind(UAvatarRigMapping::MorphTargetsOf(Driven->GetSkeletalMeshAsset()), Mismatches);
	for (const FString& Mismatch : Mismatches)
	{
		UE_LOG(LogAvatarService, Warning, TEXT("%s: rig: %s"), *GetOwner()->GetName(), *Mismatch);
	}
	if (Binding.Entries.IsEmpty())
	{
		Refuse(TEXT("INVALID_FIELD"), TEXT("no ARKit coefficient drives a morph target of the mesh: see Rig Mapping"));
	}
	BoundMesh = Driven;
}

void UAvatarComponent::UpdateRig()
{
	avatar_motion Motion;
	USkeletalMeshComponent* Driven = BoundMesh.Get();
	if (Driven == nullptr || !Session->ReadMotion(Motion))
	{
		return;
	}
	for (const FAvatarRigBinding::FEntry& Entry : Binding.Entries)
	{
		const float Weight = FAvatarRigBinding::Weight(Entry, Motion.expression[Entry.Expression]);
		Driven->SetMorphTarget(Entry.MorphTarget, Weight, false);
	}
}

void UAvatarComponent::Speak(USoundWave* Wave)
{
	Speech->Say(Wave, FAvatarPhones());
}

void UAvatarComponent::SpeakWithPhones(USoundWave* Wave, const FAvatarPhones& Phones)
{
	Speech->Say(Wave, Phones);
}

void UAvatarComponent::SpeakPhones(const FAvatarPhones& Phones)
{
	Speech->AddPhones(Phones);
}

void UAvatarComponent::SpeakSamples(const TArray<float>& Samples, int32 SampleRateHz, int32 NumChannels)
{
	Speech->Stream(Samples, SampleRateHz, NumChannels);
}

void UAvatarComponent::EndSpeech()
{
	Speech->EndStream();
}

void UAvatarComponent::Interrupt()
{
	Speech->Interrupt();
}

bool UAvatarComponent::IsSpeaking() const
{
	return Speech->IsActive();
}

int64 UAvatarComponent::SetControls(const FAvatarControls& NewControls)
{
	Controls = NewControls;
	if (!Session.IsValid())
	{
		return 0;
	}
	AvatarAbi::Fault Fault;
	const uint64 ChangeId = Session->SetControls(NewControls, Fault);
	if (!Fault.IsOk())
	{
		Refuse(UTF8_TO_TCHAR(Fault.Reason.c_str()), UTF8_TO_TCHAR(Fault.Message.c_str()));
	}
	return static_cast<int64>(ChangeId);
}

float UAvatarComponent::GetCurve(FName ArkitName) const
{
	avatar_motion Motion;
	const int32 Index = AvatarCurves::FindExpression(ArkitName.ToString());
	if (Index == INDEX_NONE || !Session.IsValid() || !Session->ReadMotion(Motion))
	{
		return 0.0f;
	}
	return FMath::Clamp(Motion.expression[Index], 0.0f, 1.0f);
}

FRotator UAvatarComponent::GetHeadRotation() const
{
	avatar_motion Motion;
	return Session.IsValid() && Session->ReadMotion(Motion) ? AvatarCurves::HeadRotation(Motion) : FRotator::ZeroRotator;
}

FVector UAvatarComponent::GetHeadOffset() const
{
	avatar_motion Motion;
	return Session.IsValid() && Session->ReadMotion(Motion) ? AvatarCurves::HeadOffset(Motion) : FVector::ZeroVector;
}

double UAvatarComponent::GetShownSecs() const
{
	return Session.IsValid() ? static_cast<double>(Session->DuePtsNanos()) * 1e-9 : 0.0;
}

FAvatarStatistics UAvatarComponent::GetStatistics() const
{
	return Session.IsValid() ? Session->GetStatistics() : FAvatarStatistics();
}
