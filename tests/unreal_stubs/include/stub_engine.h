// Behavioural stand-ins for actors, sound, textures and meshes: an audio render thread pulls from
// procedural waves and feeds submix listeners in real time, a render thread reads texture updates.
#pragma once

#include "stub_object.h"
#include "stub_threads.h"

enum ELevelTick { LEVELTICK_All };
struct FActorComponentTickFunction {
  bool bCanEverTick = false;
};
namespace EEndPlayReason {
enum Type { Destroyed, EndPlayInEditor, Quit };
}

class AActor;
class FAudioDevice;
class FAudioDeviceHandle {
 public:
  explicit FAudioDeviceHandle(FAudioDevice* device = nullptr) : device_(device) {}
  bool IsValid() const { return device_ != nullptr; }
  FAudioDevice* operator->() const {
    check(IsValid());
    return device_;
  }

 private:
  FAudioDevice* device_;
};
class UWorld : public UObject {
 public:
  FAudioDeviceHandle GetAudioDevice() const;
};
class UActorComponent : public UObject {
 public:
  static UClass* StaticClass() {
    static UClass it{"ActorComponent"};
    return &it;
  }
  virtual void BeginPlay() {}
  virtual void EndPlay(const EEndPlayReason::Type) {}
  virtual void TickComponent(float, ELevelTick, FActorComponentTickFunction*) {}
  AActor* GetOwner() const { return Owner; }
  UWorld* GetWorld() const;
  void RegisterComponent();
  FActorComponentTickFunction PrimaryComponentTick;
  AActor* Owner = nullptr;
};
class USceneComponent : public UActorComponent {
 public:
  void SetupAttachment(USceneComponent* parent) { Parent = parent; }
  USceneComponent* Parent = nullptr;
};
class AActor : public UObject {
 public:
  static UClass* StaticClass() {
    static UClass it{"Actor"};
    return &it;
  }
  AActor();
  virtual void BeginPlay();  // and its components'
  USceneComponent* GetRootComponent() const { return RootComponent; }
  template <typename T>
  T* FindComponentByClass() const {
    for (UActorComponent* component : Components) {
      if (T* found = dynamic_cast<T*>(component)) return found;
    }
    return nullptr;
  }
  template <typename T>
  T* CreateDefaultSubobject(const TCHAR* name) {
    T* component = NewObject<T>(this);
    component->Name = name;
    component->Owner = this;
    Components.push_back(component);
    return component;
  }
  TObjectPtr<USceneComponent> RootComponent;
  std::vector<UActorComponent*> Components;
};

// ---- Sound -----------------------------------------------------------------------------------

enum ESoundGroup { SOUNDGROUP_Default, SOUNDGROUP_Voice };
inline constexpr float INDEFINITELY_LOOPING_DURATION = 10000.0f;

class USoundBase : public UObject {};
class FSoundWaveProxy;
using FSoundWaveProxyPtr = TSharedPtr<FSoundWaveProxy>;
class USoundWave : public USoundBase {
 public:
  static UClass* StaticClass() {
    static UClass it{"SoundWave"};
    return &it;
  }
  void SetSampleRate(uint32 rate) { SampleRate = static_cast<int32>(rate); }
  FSoundWaveProxyPtr CreateSoundWaveProxy();
  int32 NumChannels = 0;
  float Duration = 0.0f;
  ESoundGroup SoundGroup = SOUNDGROUP_Default;
  bool bLooping = false;
  bool bProcedural = false;
  int32 SampleRate = 44100;
  std::vector<float> Imported;  // the test's: what the file held, interleaved
};
class USoundWaveProcedural : public USoundWave {
 public:
  USoundWaveProcedural() { bProcedural = true; }
  virtual int32 OnGeneratePCMAudio(TArray<uint8>& OutAudio, int32 NumSamples) = 0;
};
class FSoundWaveProxy {
 public:
  explicit FSoundWaveProxy(USoundWave* wave) : wave(wave) {}
  uint32 GetNumChannels() const { return static_cast<uint32>(wave->NumChannels); }
  float GetSampleRate() const { return static_cast<float>(wave->SampleRate); }
  USoundWave* wave;
};
using FSoundWaveProxyRef = TSharedRef<FSoundWaveProxy>;
namespace Audio {
using FAlignedFloatBuffer = TArray<float>;
}
class FSoundWaveProxyReader {
 public:
  struct FSettings {
    uint32 MaxDecodeSizeInFrames = 1024;
    float StartTimeInSeconds = 0.0f;
    bool bIsLooping = false;
  };
  static TUniquePtr<FSoundWaveProxyReader> Create(FSoundWaveProxyRef proxy, const FSettings& settings);
  int32 PopAudio(Audio::FAlignedFloatBuffer& buffer);

 private:
  explicit FSoundWaveProxyReader(USoundWave* wave) : wave_(wave) {}
  USoundWave* wave_;
  size_t next_ = 0;
};

class UAudioComponent : public USceneComponent {
 public:
  static UClass* StaticClass() {
    static UClass it{"AudioComponent"};
    return &it;
  }
  void SetSound(USoundBase* sound) { Sound = sound; }
  void Play(float StartTime = 0.0f);
  void Stop();
  bool bAutoActivate = true;
  TObjectPtr<USoundBase> Sound;
};
class USoundSubmix : public UObject {};
class ISubmixBufferListener : public TSharedFromThis<ISubmixBufferListener, ESPMode::ThreadSafe> {
 public:
  virtual ~ISubmixBufferListener() = default;
  virtual void OnNewSubmixBuffer(const USoundSubmix* OwningSubmix, float* AudioData, int32 NumSamples,
                                 int32 NumChannels, const int32 SampleRate, double AudioClock) = 0;
};
class FAudioDevice {
 public:
  USoundSubmix& GetMainSubmixObject() { return submix_; }
  void RegisterSubmixBufferListener(TSharedRef<ISubmixBufferListener, ESPMode::ThreadSafe> listener, USoundSubmix&);
  void UnregisterSubmixBufferListener(TSharedRef<ISubmixBufferListener, ESPMode::ThreadSafe> listener, USoundSubmix&);

 private:
  USoundSubmix submix_;
};

// ---- Pictures --------------------------------------------------------------------------------

enum EPixelFormat { PF_B8G8R8A8, PF_R8G8B8A8 };
enum TextureAddress { TA_Wrap, TA_Clamp };
struct FUpdateTextureRegion2D {
  FUpdateTextureRegion2D() = default;
  FUpdateTextureRegion2D(uint32 dx, uint32 dy, int32 sx, int32 sy, uint32 w, uint32 h)
      : DestX(dx), DestY(dy), SrcX(sx), SrcY(sy), Width(w), Height(h) {}
  uint32 DestX = 0, DestY = 0;
  int32 SrcX = 0, SrcY = 0;
  uint32 Width = 0, Height = 0;
};
class UTexture2D : public UObject {
 public:
  static UClass* StaticClass() {
    static UClass it{"Texture2D"};
    return &it;
  }
  static UTexture2D* CreateTransient(int32 width, int32 height, EPixelFormat format = PF_B8G8R8A8);
  void UpdateResource() { has_resource = true; }
  // Takes place later, on the render thread: source and regions must live until the cleanup.
  void UpdateTextureRegions(int32 MipIndex, uint32 NumRegions, const FUpdateTextureRegion2D* Regions, uint32 SrcPitch,
                            uint32 SrcBpp, uint8* SrcData,
                            TFunction<void(uint8*, const FUpdateTextureRegion2D*)> Cleanup);
  int32 GetSizeX() const { return width; }
  int32 GetSizeY() const { return height; }
  bool SRGB = false;
  TextureAddress AddressX = TA_Wrap, AddressY = TA_Wrap;
  // The test's:
  std::vector<uint8> read() const;
  int32 width = 0, height = 0;
  EPixelFormat format = PF_B8G8R8A8;
  bool has_resource = false;

 private:
  mutable std::mutex mutex_;
  std::vector<uint8> pixels_;
};

class UMorphTarget : public UObject {
 public:
  static UClass* StaticClass() {
    static UClass it{"MorphTarget"};
    return &it;
  }
};
class USkeletalMesh : public UObject {
 public:
  static UClass* StaticClass() {
    static UClass it{"SkeletalMesh"};
    return &it;
  }
  const TArray<TObjectPtr<UMorphTarget>>& GetMorphTargets() const { return targets; }
  TArray<TObjectPtr<UMorphTarget>> targets;
};
class USkeletalMeshComponent : public USceneComponent {
 public:
  static UClass* StaticClass() {
    static UClass it{"SkeletalMeshComponent"};
    return &it;
  }
  USkeletalMesh* GetSkeletalMeshAsset() const { return asset; }
  void SetMorphTarget(FName name, float value, bool bRemoveZeroWeight = true);
  USkeletalMesh* asset = nullptr;
  std::map<std::string, std::vector<float>> weights;  // the test's: everything that was set
};
class UDataAsset : public UObject {};

namespace stub {
// One frame of the game: ticks the actor's components on the game thread at 60 Hz.
void tick(AActor* actor);
void set_audio_device(bool is_there);
double audio_rate();           // of the device against the computer's clock
void set_audio_rate(double);
int64 samples_heard();         // samples that were not silence
void stop_threads();
}  // namespace stub
