// A game of one actor that talks: `driver MODE TARGET PHOTO PCM`, PCM 16 kHz mono float. Prints one
// line of JSON per tick (kind "tick"), per event and per figure at the end; the tests read them.
#include <fstream>
#include <iterator>

#include "AvatarComponent.h"
#include "AvatarLiveLinkSourceFactory.h"
#include "AvatarRigMapping.h"
#include "AvatarTexture.h"
#include "TalkingActor.h"
#include "stub_engine.h"
#include "stub_livelink.h"
#include "stub_module.h"

namespace {

constexpr int32 kRateHz = 16000;
double begun = 0.0;

double now() { return FPlatformTime::Seconds() - begun; }
void say(const char* kind, const std::string& fields) {
  std::printf("{\"kind\": \"%s\", \"at\": %.4f, %s}\n", kind, now(), fields.c_str());
  std::fflush(stdout);
}
std::string quoted(const FString& text) {
  std::string out = "\"";
  for (const char c : stub::to_utf8(*text)) out += c == '"' || c == '\\' ? '\'' : c;
  return out + "\"";
}

// Everything an avatar tells.
class UListener : public UObject {
 public:
  void OnState(EAvatarState state, const FString& why) {
    say("state", "\"state\": " + std::to_string(static_cast<int>(state)) + ", \"why\": " + quoted(why));
  }
  void OnFault(const FString& reason, const FString& message) {
    ++faults;
    say("fault", "\"reason\": " + quoted(reason) + ", \"message\": " + quoted(message));
  }
  void OnStarted() { say("started", "\"x\": 0"); }
  void OnEnded(bool interrupted) {
    ++ended;
    say("ended", std::string("\"interrupted\": ") + (interrupted ? "true" : "false"));
  }
  void OnInterrupted() { say("interrupted", "\"x\": 0"); }
  void OnControls(int64 id) { say("controls", "\"id\": " + std::to_string(id)); }
  void OnTexture(UTexture2D* texture) {
    say("texture", "\"width\": " + std::to_string(texture->GetSizeX()) + ", \"format\": " +
                       std::to_string(texture->format) + ", \"srgb\": " + (texture->SRGB ? "true" : "false"));
  }
  void OnNotice(const FString& text) { say("notice", "\"text\": " + quoted(text)); }
  int ended = 0;
  int faults = 0;
};

class Game {
 public:
  Game(AActor* actor, UAvatarComponent* avatar) : actor(actor), avatar(avatar) {
    avatar->OnStateChanged.AddDynamic(&listener, &UListener::OnState);
    avatar->OnFault.AddDynamic(&listener, &UListener::OnFault);
    avatar->OnSpeechStarted.AddDynamic(&listener, &UListener::OnStarted);
    avatar->OnSpeechEnded.AddDynamic(&listener, &UListener::OnEnded);
    avatar->OnInterrupted.AddDynamic(&listener, &UListener::OnInterrupted);
    avatar->OnControlsApplied.AddDynamic(&listener, &UListener::OnControls);
    avatar->OnTextureCreated.AddDynamic(&listener, &UListener::OnTexture);
    avatar->OnNotice.AddDynamic(&listener, &UListener::OnNotice);
  }
  // Runs the game until something holds; ends the program where it does not in time.
  void until(const char* what, double secs, const std::function<bool()>& holds) {
    const double end = now() + secs;
    while (!holds()) {
      if (now() > end) {
        say("timeout", std::string("\"what\": \"") + what + "\"");
        std::exit(3);
      }
      stub::tick(actor);
      report();
    }
  }
  void run(double secs) {
    const double end = now() + secs;
    until("time", secs + 60, [&] { return now() >= end; });
  }
  void ready() {
    until("ready", 90, [&] { return avatar->GetState() == EAvatarState::Ready; });
  }
  void report() {
    std::string fields = "\"shown\": " + std::to_string(avatar->GetShownSecs()) +
                         ", \"jaw\": " + std::to_string(avatar->GetCurve(u"jawOpen")) +
                         ", \"yaw\": " + std::to_string(avatar->GetHeadRotation().Yaw) +
                         ", \"heard\": " + std::to_string(stub::samples_heard());
    if (avatar->Frames != nullptr && avatar->Frames->Texture != nullptr) {
      fields += ", \"updates\": " + std::to_string(avatar->Frames->NumUpdates) +
                ", \"busy\": " + std::to_string(avatar->Frames->NumBusy);
    }
    say("tick", fields);
  }
  void save_texture(const char* name) {
    run(0.1);
    const std::vector<uint8> pixels = avatar->Frames->Texture->read();
    std::ofstream(std::string(std::getenv("STUB_OUT_DIR")) + "/" + name, std::ios::binary)
        .write(reinterpret_cast<const char*>(pixels.data()), static_cast<std::streamsize>(pixels.size()));
  }
  void finish(const char* subject) {
    const FAvatarStatistics figures = avatar->GetStatistics();
    say("figures", "\"transport\": " + quoted(figures.Transport) + ", \"skipped\": " +
                       std::to_string(figures.FramesSkipped) + ", \"shown\": " +
                       std::to_string(figures.FramesShown) + ", \"bytes\": " +
                       std::to_string(figures.BytesReceived) + ", \"drift_millis\": " +
                       std::to_string(figures.DriftMillis) + ", \"rate_ppm\": " +
                       std::to_string(figures.AudioRatePpm) + ", \"reconnects\": " +
                       std::to_string(figures.NumReconnects));
    avatar->EndPlay(EEndPlayReason::Quit);
    // The session ends by itself, behind the game's back.
    const double end = now() + 10.0;
    const auto is_listed = [&] {
      const stub::LiveLinkSubject subject_now = stub::live_link_subject(subject);
      return !subject_now.names.empty() && subject_now.removed == 0;
    };
    while (is_listed() && now() < end) stub::tick(actor);
    stub::unload_modules_keep_objects();
    const stub::LiveLinkSubject seen = stub::live_link_subject(subject);
    std::string names, jaws;
    for (const std::string& name : seen.names) names += (names.empty() ? "\"" : ", \"") + name + "\"";
    const auto jaw = std::find(seen.names.begin(), seen.names.end(), "JawOpen") - seen.names.begin();
    for (const auto& frame : seen.frames) {
      jaws += (jaws.empty() ? "" : ", ") + std::to_string(frame.values[static_cast<size_t>(jaw)]);
    }
    say("live_link", "\"role\": \"" + seen.role + "\", \"names\": [" + names + "], \"jaw\": [" + jaws +
                         "], \"removed\": " + std::to_string(seen.removed));
  }
  AActor* actor;
  UAvatarComponent* avatar;
  UListener listener;
};

USoundWave* load_wave(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  auto* wave = NewObject<USoundWave>();
  wave->NumChannels = 1;
  wave->SetSampleRate(kRateHz);
  wave->Imported.resize(bytes.size() / sizeof(float));
  std::memcpy(wave->Imported.data(), bytes.data(), wave->Imported.size() * sizeof(float));
  return wave;
}

UAvatarComponent* make_avatar(AActor* actor, const char* target, const char* photo) {
  auto* avatar = actor->CreateDefaultSubobject<UAvatarComponent>(u"Avatar");
  avatar->Target = stub::from_utf8(target).c_str();
  avatar->LiveLinkSubject = u"Anna";
  if (std::string(photo) != "-") {
    avatar->PhotoFile = stub::from_utf8(photo).c_str();
    avatar->ConsentSubject = u"Anna";
    avatar->ConsentBasis = u"her written consent";
  }
  return avatar;
}

// Lips open from 0.6 to 1.2 s and from 2.2 to 2.7 s, whatever the sound is.
FAvatarPhones phones() {
  struct Known {
    const TCHAR* symbol;
    double start, end;
  };
  FAvatarPhones result;
  for (const Known& known : {Known{u"M", 0.1, 0.6}, {u"AA1", 0.6, 1.2}, {u"M", 1.2, 2.2}, {u"AA1", 2.2, 2.7}, {u"M", 2.7, 3.2}}) {
    FAvatarPhone phone;
    phone.Symbol = known.symbol;
    phone.StartSecs = known.start;
    phone.EndSecs = known.end;
    result.Phones.Add(phone);
  }
  return result;
}

USkeletalMeshComponent* add_mesh(AActor* actor, UAvatarComponent* avatar) {
  auto* component = actor->CreateDefaultSubobject<USkeletalMeshComponent>(u"Face");
  component->asset = NewObject<USkeletalMesh>();
  for (const TCHAR* name : {u"jawOpen", u"eyeBlink_L", u"EyeBlinkRight", u"mouth_funnel"}) {
    auto* target = NewObject<UMorphTarget>();
    target->Name = name;
    component->asset->targets.Add(target);
  }
  avatar->RigMapping = NewObject<UAvatarRigMapping>();
  return component;
}

void speak(Game& game, USoundWave* wave) {
  USkeletalMeshComponent* mesh = add_mesh(game.actor, game.avatar);
  game.avatar->BeginPlay();
  game.ready();
  game.until("a picture", 30, [&] { return game.avatar->Frames->NumUpdates > 5; });
  game.save_texture("rest.rgba");
  FAvatarControls controls;
  controls.Emotion.Add(u"happy", 0.5f);
  controls.bBadge = true;
  controls.MotionModel = u"rules";
  say("asked", "\"id\": " + std::to_string(game.avatar->SetControls(controls)));
  controls.Emotion.Add(u"hungry", 0.5f);
  say("asked", "\"id\": " + std::to_string(game.avatar->SetControls(controls)));
  game.avatar->Speak(wave);
  bool saved = false;
  game.until("the end of the speech", 60, [&] {
    if (!saved && game.avatar->GetCurve(u"jawOpen") > 0.2f) {
      saved = true;
      game.save_texture("open.rgba");
    }
    return game.listener.ended == 1;
  });
  game.run(0.5);
  for (const auto& [name, weights] : mesh->weights) {
    const auto [low, high] = std::minmax_element(weights.begin(), weights.end());
    say("morph", "\"name\": \"" + name + "\", \"low\": " + std::to_string(*low) + ", \"high\": " + std::to_string(*high));
  }
}

void stream(Game& game, USoundWave* wave) {
  game.avatar->BeginPlay();
  game.ready();
  // As a synthesiser does: faster than it is heard, with a stall in between.
  const size_t half = wave->Imported.size() / 2;
  for (size_t from = 0; from < wave->Imported.size();) {
    const size_t count = std::min<size_t>(1600, (from < half ? half : wave->Imported.size()) - from);
    TArray<float> chunk;
    chunk.Append(wave->Imported.data() + from, static_cast<int32>(count));
    game.avatar->SpeakSamples(chunk, kRateHz);
    from += count;
    game.run(from == half ? half / double{kRateHz} + 0.8 : 0.03);
  }
  game.avatar->EndSpeech();
  game.until("the end of the speech", 60, [&] { return game.listener.ended == 1; });
  game.run(0.3);
}

void interrupt(Game& game, USoundWave* wave) {
  game.avatar->BeginPlay();
  game.ready();
  game.avatar->Speak(wave);
  game.avatar->Speak(wave);
  game.until("speech", 30, [&] { return stub::samples_heard() > kRateHz; });
  say("cut", "\"x\": 0");
  game.avatar->Interrupt();
  game.run(1.5);
  say("again", "\"x\": 0");
  game.avatar->Speak(wave);
  game.until("the end of the second speech", 60, [&] { return game.listener.ended == 2; });
}

void say_phones(Game& game, USoundWave* wave) {
  game.avatar->BeginPlay();
  game.ready();
  game.avatar->SpeakWithPhones(wave, phones());
  game.until("the end of the wave", 60, [&] { return game.listener.ended == 1; });
  // The same piece by piece; its phones are told in two parts, one behind the first samples.
  FAvatarPhones late = phones();
  FAvatarPhones early = late;
  early.Phones.RemoveAt(2, 3);
  late.Phones.RemoveAt(0, 2);
  say("streamed", "\"x\": 0");
  game.avatar->SpeakPhones(early);
  TArray<float> chunk;
  chunk.Append(wave->Imported.data(), static_cast<int32>(wave->Imported.size()) / 2);
  game.avatar->SpeakSamples(chunk, kRateHz);
  game.run(0.1);
  game.avatar->SpeakPhones(late);
  game.avatar->SpeakSamples(chunk, kRateHz);
  game.avatar->EndSpeech();
  game.until("the end of the stream", 60, [&] { return game.listener.ended == 2; });
  // Phones that cross are refused, the sound is said.
  FAvatarPhones crossed = phones();
  crossed.Phones[1].StartSecs = 0.2;
  chunk.SetNumZeroed(kRateHz / 2);
  game.avatar->SpeakPhones(crossed);
  game.avatar->SpeakSamples(chunk, kRateHz);
  game.avatar->EndSpeech();
  game.until("the end of the refused", 60, [&] { return game.listener.ended == 3; });
}

void video(Game& game) {
  game.avatar->Transport = EAvatarTransport::Grpc;
  game.avatar->RemoteVideo = EAvatarRemoteVideo::H264;
  game.avatar->BeginPlay();
  game.ready();
  game.until("pictures", 60, [&] { return game.avatar->Frames->NumUpdates > 60; });
  game.save_texture("video.rgba");
}

void restart(Game& game, USoundWave* wave) {
  game.avatar->WaitForServiceSecs = 60.0f;  // as long as a busy machine needs for a new service
  game.avatar->BeginPlay();
  game.ready();
  game.avatar->SpeakWithPhones(wave, phones());
  game.until("speech", 30, [&] { return stub::samples_heard() > kRateHz / 2; });
  say("kill", "\"x\": 0");
  game.until("loss", 60, [&] { return game.avatar->GetState() == EAvatarState::Reconnecting; });
  game.until("return", 120, [&] { return game.avatar->GetState() == EAvatarState::Ready; });
  game.until("the end of the speech", 60, [&] { return game.listener.ended == 1; });
  game.run(0.3);
}

void refused(Game& game) {
  game.avatar->ConsentBasis = u"";
  game.avatar->BeginPlay();
  game.until("the refusal", 90, [&] { return game.avatar->GetState() == EAvatarState::Failed; });
  game.avatar->PhotoFile = u"nobody.png";
  game.avatar->Connect();
  game.avatar->PhotoFile = u"";
  game.avatar->Target = u"127.0.0.1:1";
  game.avatar->Connect();
  game.run(1.0);
  game.avatar->SpeakSamples({0.0f, 0.1f}, 4000);
  game.avatar->Disconnect();
  UAvatarLiveLinkSourceFactory factory;
  say("factory", std::string("\"refused\": ") + (factory.CreateSource(FString()).IsValid() ? "false" : "true"));
}

}  // namespace

int main(int argc, char** argv) {
  begun = FPlatformTime::Seconds();
  const std::string mode = argv[1];
  if (mode == "automation") {
    const int failed = stub::run_automation_tests();
    stub::stop_threads();
    return failed;
  }
  if (argc != 5) return 2;
  USoundWave* wave = load_wave(argv[4]);
  if (std::getenv("STUB_AUDIO_RATE") != nullptr) stub::set_audio_rate(std::atof(std::getenv("STUB_AUDIO_RATE")));
  stub::set_audio_device(std::getenv("STUB_NO_AUDIO") == nullptr);
  if (mode == "example") {
    auto* actor = NewObject<ATalkingActor>();
    Game game(actor, actor->Avatar);
    actor->Avatar->Target = stub::from_utf8(argv[2]).c_str();
    actor->Line = wave;
    actor->BeginPlay();
    game.until("the end of the speech", 120, [&] { return game.listener.ended == 1; });
    game.finish("Anna");
  } else {
    auto* actor = NewObject<AActor>();
    Game game(actor, make_avatar(actor, argv[2], argv[3]));
    if (mode == "speak") speak(game, wave);
    if (mode == "stream") stream(game, wave);
    if (mode == "interrupt") interrupt(game, wave);
    if (mode == "restart") restart(game, wave);
    if (mode == "phones") say_phones(game, wave);
    if (mode == "video") video(game);
    if (mode == "refused") refused(game);
    game.finish("Anna");
  }
  stub::stop_threads();
  stub::unload_modules();
}
