// The two threads of the stand-ins: sound and pictures.
#include "stub_engine.h"

#include <map>

namespace {

constexpr int32 kDeviceRate = 48000;
constexpr int32 kBlockFrames = 1024;
// A mixer asks a procedural voice for samples before it mixes them.
constexpr int32 kBlocksAhead = 2;

class Threads {
 public:
  Threads() : audio_([this] { mix(); }), render_([this] { draw(); }) {}
  ~Threads() { stop(); }
  void stop() {
    {
      std::lock_guard lock(gate_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (audio_.joinable()) audio_.join();
    if (render_.joinable()) render_.join();
  }
  void play(UAudioComponent* component, USoundWaveProcedural* wave) {
    std::lock_guard lock(gate_);
    voices_[component] = Voice{wave, 0};
  }
  void stop(UAudioComponent* component) {
    std::lock_guard lock(gate_);
    voices_.erase(component);
  }
  void listen(std::shared_ptr<ISubmixBufferListener> listener, bool on) {
    std::lock_guard lock(gate_);
    if (on) {
      listeners_.push_back(std::move(listener));
    } else {
      std::erase(listeners_, listener);
    }
  }
  void enqueue(std::function<void()> command) {
    std::lock_guard lock(gate_);
    commands_.push_back(std::move(command));
    changed_.notify_all();
  }
  std::atomic<double> rate{1.0};
  std::atomic<int64> heard{0};

 private:
  struct Voice {
    USoundWaveProcedural* wave;
    double given;  // blocks of the device that it has generated
  };
  // Generates a block of every voice in real time, then tells the listeners.
  void mix() {
    auto due = std::chrono::steady_clock::now();
    double clock = 0.0;
    std::vector<float> mixed(2 * kBlockFrames);
    for (;;) {
      const double block_secs = double{kBlockFrames} / kDeviceRate;
      due += std::chrono::nanoseconds(static_cast<int64>(1e9 * block_secs / rate));
      std::unique_lock lock(gate_);
      changed_.wait_until(lock, due, [this] { return stopping_; });
      if (stopping_) return;
      if (std::chrono::steady_clock::now() < due) {
        lock.unlock();
        std::this_thread::sleep_until(due);
        lock.lock();
      }
      for (auto& [component, voice] : voices_) {
        const int blocks = voice.given == 0 ? 1 + kBlocksAhead : 1;
        for (int i = 0; i < blocks; ++i) generate(voice.wave);
        voice.given += blocks;
      }
      for (const auto& listener : listeners_) {
        listener->OnNewSubmixBuffer(nullptr, mixed.data(), 2 * kBlockFrames, 2, kDeviceRate, clock);
      }
      clock += block_secs;
    }
  }
  void generate(USoundWaveProcedural* wave) {
    // In the wave's own rate; the remainder is carried so that no time is lost.
    double& rest = rests_[wave];
    rest += double{kBlockFrames} * wave->SampleRate / kDeviceRate;
    const int32 frames = static_cast<int32>(rest);
    rest -= frames;
    TArray<uint8> audio;
    const int32 samples = wave->OnGeneratePCMAudio(audio, frames * wave->NumChannels);
    check(samples == frames * wave->NumChannels);
    check(audio.Num() == samples * 2);
    const auto* pcm = reinterpret_cast<const int16*>(audio.GetData());
    for (int32 i = 0; i < samples; i += wave->NumChannels) heard += pcm[i] != 0 ? 1 : 0;
  }
  void draw() {
    std::unique_lock lock(gate_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !commands_.empty(); });
      if (commands_.empty()) return;
      const auto command = std::move(commands_.front());
      commands_.pop_front();
      lock.unlock();
      command();
      lock.lock();
    }
  }
  std::mutex gate_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::map<UAudioComponent*, Voice> voices_;
  std::map<USoundWaveProcedural*, double> rests_;
  std::vector<std::shared_ptr<ISubmixBufferListener>> listeners_;
  std::deque<std::function<void()>> commands_;
  std::thread audio_;
  std::thread render_;
};
Threads& threads() {
  static Threads it;
  return it;
}
bool has_audio_device = true;
FAudioDevice audio_device;
UWorld world;

}  // namespace

AActor::AActor() {
  RootComponent = NewObject<USceneComponent>(this);
  Components.push_back(RootComponent);
}
void AActor::BeginPlay() {
  for (UActorComponent* component : Components) component->BeginPlay();
}
UWorld* UActorComponent::GetWorld() const { return &world; }
void UActorComponent::RegisterComponent() {
  if (Owner == nullptr) Owner = dynamic_cast<AActor*>(Outer);
  check(Owner != nullptr);
  Owner->Components.push_back(this);
}
FAudioDeviceHandle UWorld::GetAudioDevice() const {
  return FAudioDeviceHandle(has_audio_device ? &audio_device : nullptr);
}

FSoundWaveProxyPtr USoundWave::CreateSoundWaveProxy() { return MakeShared<FSoundWaveProxy>(this); }
TUniquePtr<FSoundWaveProxyReader> FSoundWaveProxyReader::Create(FSoundWaveProxyRef proxy, const FSettings&) {
  return TUniquePtr<FSoundWaveProxyReader>(new FSoundWaveProxyReader(proxy->wave));
}
int32 FSoundWaveProxyReader::PopAudio(Audio::FAlignedFloatBuffer& buffer) {
  const size_t count = std::min(static_cast<size_t>(buffer.Num()), wave_->Imported.size() - next_);
  std::copy_n(wave_->Imported.begin() + static_cast<std::ptrdiff_t>(next_), count, buffer.GetData());
  next_ += count;
  return static_cast<int32>(count);
}

void UAudioComponent::Play(float) {
  check(IsInGameThread() && Owner != nullptr);  // registered
  auto* wave = dynamic_cast<USoundWaveProcedural*>(Sound.Get());
  check(wave != nullptr && wave->NumChannels > 0);
  threads().play(this, wave);
}
void UAudioComponent::Stop() {
  check(IsInGameThread());
  threads().stop(this);
}
void FAudioDevice::RegisterSubmixBufferListener(TSharedRef<ISubmixBufferListener, ESPMode::ThreadSafe> listener,
                                                USoundSubmix&) {
  threads().listen(listener.raw(), true);
}
void FAudioDevice::UnregisterSubmixBufferListener(TSharedRef<ISubmixBufferListener, ESPMode::ThreadSafe> listener,
                                                  USoundSubmix&) {
  threads().listen(listener.raw(), false);
}

UTexture2D* UTexture2D::CreateTransient(int32 width, int32 height, EPixelFormat format) {
  check(IsInGameThread() && width > 0 && height > 0);
  auto* texture = NewObject<UTexture2D>();
  texture->width = width;
  texture->height = height;
  texture->format = format;
  texture->pixels_.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * 4);
  return texture;
}
void UTexture2D::UpdateTextureRegions(int32 mip, uint32 num, const FUpdateTextureRegion2D* regions, uint32 pitch,
                                      uint32 bytes_per_pixel, uint8* source,
                                      TFunction<void(uint8*, const FUpdateTextureRegion2D*)> cleanup) {
  check(IsInGameThread() && has_resource && mip == 0 && bytes_per_pixel == 4);
  threads().enqueue([=, this] {
    {
      std::lock_guard lock(mutex_);
      for (uint32 i = 0; i < num; ++i) {
        const FUpdateTextureRegion2D& r = regions[i];
        check(r.DestX + r.Width <= static_cast<uint32>(width) && r.DestY + r.Height <= static_cast<uint32>(height));
        for (uint32 y = 0; y < r.Height; ++y) {
          std::memcpy(pixels_.data() + (static_cast<size_t>(r.DestY + y) * static_cast<size_t>(width) + r.DestX) * 4,
                      source + static_cast<size_t>(r.SrcY + static_cast<int32>(y)) * pitch + r.SrcX * 4, r.Width * 4);
        }
      }
    }
    cleanup(source, regions);
  });
}
std::vector<uint8> UTexture2D::read() const {
  std::lock_guard lock(mutex_);
  return pixels_;
}
void USkeletalMeshComponent::SetMorphTarget(FName name, float value, bool) {
  check(IsInGameThread() && value >= 0.0f && value <= 1.0f);
  weights[stub::to_utf8(name.ToString().raw())].push_back(value);
}

namespace stub {
void tick(AActor* actor) {
  static auto due = std::chrono::steady_clock::now();
  const auto now = std::chrono::steady_clock::now();
  due = std::max(due, now - std::chrono::milliseconds(50)) + std::chrono::microseconds(16667);
  std::this_thread::sleep_until(due);
  const std::vector<UActorComponent*> components = actor->Components;
  for (UActorComponent* component : components) {
    if (component->PrimaryComponentTick.bCanEverTick) {
      component->TickComponent(1.0f / 60.0f, LEVELTICK_All, &component->PrimaryComponentTick);
    }
  }
}
void set_audio_device(bool is_there) { has_audio_device = is_there; }
double audio_rate() { return threads().rate; }
void set_audio_rate(double rate) { threads().rate = rate; }
int64 samples_heard() { return threads().heard; }
void stop_threads() { threads().stop(); }
}  // namespace stub
