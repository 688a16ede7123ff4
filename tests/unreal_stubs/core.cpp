// Text, files, modules and the automation runner of the stand-ins.
#include <dlfcn.h>

#include <fstream>
#include <iterator>

#include "stub_livelink.h"
#include "stub_module.h"
#include "stub_object.h"

namespace stub {

void fail(const char* what, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what);
  std::abort();
}

const std::thread::id game_thread = std::this_thread::get_id();
bool is_game_thread() { return std::this_thread::get_id() == game_thread; }

// Basic plane only: the names and messages here have no more.
std::string to_utf8(const std::u16string& text) {
  std::string bytes;
  for (const char16_t c : text) {
    if (c < 0x80) {
      bytes += static_cast<char>(c);
    } else if (c < 0x800) {
      bytes += static_cast<char>(0xc0 | (c >> 6));
      bytes += static_cast<char>(0x80 | (c & 0x3f));
    } else {
      bytes += static_cast<char>(0xe0 | (c >> 12));
      bytes += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
      bytes += static_cast<char>(0x80 | (c & 0x3f));
    }
  }
  return bytes;
}
std::u16string from_utf8(const char* text) {
  std::u16string wide;
  for (const auto* p = reinterpret_cast<const unsigned char*>(text); *p != 0;) {
    if (*p < 0x80) {
      wide += static_cast<char16_t>(*p++);
    } else if (*p < 0xe0) {
      wide += static_cast<char16_t>(((p[0] & 0x1f) << 6) | (p[1] & 0x3f));
      p += 2;
    } else {
      wide += static_cast<char16_t>(((p[0] & 0x0f) << 12) | ((p[1] & 0x3f) << 6) | (p[2] & 0x3f));
      p += 3;
    }
  }
  return wide;
}

FString format(const TCHAR* format, std::initializer_list<Argument> arguments) {
  std::u16string text;
  auto next = arguments.begin();
  for (const TCHAR* p = format; *p != 0; ++p) {
    if (*p != u'%') {
      text += *p;
      continue;
    }
    ++p;
    check(next != arguments.end());
    if (*p == u's') {
      check(next->kind == 's');
      text += next->text;
    } else if (*p == u'd') {
      check(next->kind == 'd');
      text += from_utf8(std::to_string(next->integer).c_str());
    } else if (*p == u'l' && p[1] == u'l' && (p[2] == u'u' || p[2] == u'd')) {
      check(next->kind == 'l');
      text += from_utf8(std::to_string(next->integer).c_str());
      p += 2;
    } else {
      check(*p == u'f' && next->kind == 'f');
      text += from_utf8(std::to_string(next->real).c_str());
    }
    ++next;
  }
  check(next == arguments.end());
  return FString(text);
}
void log(const char* category, const char* verbosity, const FString& text) {
  std::fprintf(stderr, "%s: %s: %s\n", category, verbosity, to_utf8(text.raw()).c_str());
}

namespace {
struct Module {
  const TCHAR* name;
  ModuleMaker make;
  std::unique_ptr<IModuleInterface> it;
};
std::vector<Module>& modules() {
  static std::vector<Module> all;
  return all;
}
std::vector<FAutomationTestBase*>& tests() {
  static std::vector<FAutomationTestBase*> all;
  return all;
}
std::vector<std::unique_ptr<UObject>>& objects() {
  static std::vector<std::unique_ptr<UObject>> all;
  return all;
}

// Live Link's client: refuses what the real one could not use.
class LiveLinkClient final : public ILiveLinkClient {
 public:
  FGuid AddSource(TSharedPtr<ILiveLinkSource> source) override {
    check(IsInGameThread());
    check(!source_.IsValid());
    source_ = source;
    guid_ = FGuid::NewGuid();
    source->ReceiveClient(this, guid_);
    check(source->IsSourceStillValid());
    return guid_;
  }
  void PushSubjectStaticData_AnyThread(const FLiveLinkSubjectKey& key, TSubclassOf<ULiveLinkRole> role,
                                       FLiveLinkStaticDataStruct&& data) override {
    FScopeLock lock(&gate_);
    check(key.Source == guid_);
    LiveLinkSubject& subject = subjects_[to_utf8(key.SubjectName.ToString().raw())];
    subject.role = role.Get()->name;
    subject.names.clear();
    for (const FName& name : data.Cast<FLiveLinkBaseStaticData>()->PropertyNames) {
      subject.names.push_back(to_utf8(name.ToString().raw()));
    }
  }
  void PushSubjectFrameData_AnyThread(const FLiveLinkSubjectKey& key, FLiveLinkFrameDataStruct&& data) override {
    FScopeLock lock(&gate_);
    check(key.Source == guid_);
    const auto found = subjects_.find(to_utf8(key.SubjectName.ToString().raw()));
    check(found != subjects_.end());
    FLiveLinkBaseFrameData* frame = data.Cast<FLiveLinkBaseFrameData>();
    check(frame->PropertyValues.Num() == static_cast<int32>(found->second.names.size()));
    found->second.frames.push_back({frame->WorldTime.time, {frame->PropertyValues.begin(), frame->PropertyValues.end()}});
  }
  void RemoveSubject_AnyThread(const FLiveLinkSubjectKey& key) override {
    FScopeLock lock(&gate_);
    ++subjects_[to_utf8(key.SubjectName.ToString().raw())].removed;
  }
  LiveLinkSubject subject(const char* name) {
    FScopeLock lock(&gate_);
    return subjects_[name];
  }
  void shut_down() {
    if (source_.IsValid()) check(source_->RequestSourceShutdown());
    source_.Reset();
  }

 private:
  FCriticalSection gate_;
  TSharedPtr<ILiveLinkSource> source_;
  FGuid guid_;
  std::map<std::string, LiveLinkSubject> subjects_;
};
LiveLinkClient& live_link() {
  static LiveLinkClient it;
  return it;
}
}  // namespace

ModuleEntry::ModuleEntry(const TCHAR* name, ModuleMaker make) { modules().push_back({name, make, nullptr}); }
IModuleInterface* load_module(const TCHAR* name) {
  for (Module& module : modules()) {
    if (FString(module.name) == name) {
      if (module.it == nullptr) {
        module.it.reset(module.make());
        module.it->StartupModule();
      }
      return module.it.get();
    }
  }
  return nullptr;
}
void unload_modules_keep_objects() {
  live_link().shut_down();
  for (Module& module : modules()) {
    if (module.it != nullptr) module.it->ShutdownModule();
    module.it.reset();
  }
}
void unload_modules() {
  unload_modules_keep_objects();
  objects().clear();
}
void keep(UObject* object) { objects().emplace_back(object); }
LiveLinkSubject live_link_subject(const char* name) { return live_link().subject(name); }

int run_automation_tests() {
  int failed = 0;
  for (FAutomationTestBase* test : tests()) {
    test->RunTest(FString());
    std::printf("{\"test\": \"%s\", \"checks\": %d, \"failures\": %d}\n", test->name, test->checks, test->failures);
    failed += test->failures == 0 ? 0 : 1;
  }
  return failed;
}

}  // namespace stub

FAutomationTestBase::FAutomationTestBase(const char* name) : name(name) { stub::tests().push_back(this); }
bool FAutomationTestBase::expect(const FString& what, bool holds, const char* how) {
  ++checks;
  if (!holds) {
    ++failures;
    std::fprintf(stderr, "%s: %s %s\n", name, stub::to_utf8(what.raw()).c_str(), how);
  }
  return holds;
}

bool FString::EndsWith(const TCHAR* end) const {
  const std::u16string tail(end);
  return text_.size() >= tail.size() && text_.compare(text_.size() - tail.size(), tail.size(), tail) == 0;
}
FString FString::ToUpper() const {
  std::u16string upper = text_;
  for (char16_t& c : upper) {
    if (c < 128) c = static_cast<char16_t>(std::toupper(static_cast<int>(c)));
  }
  return FString(upper);
}
bool FString::operator==(const FString& other) const {
  return text_.size() == other.text_.size() && ToUpper().text_ == other.ToUpper().text_;
}

IModularFeatures& IModularFeatures::Get() {
  static IModularFeatures it;
  return it;
}
bool IModularFeatures::IsModularFeatureAvailable(FName name) {
  return name == ILiveLinkClient::ModularFeatureName && std::getenv("STUB_NO_LIVE_LINK") == nullptr;
}
IModularFeature& IModularFeatures::feature() { return stub::live_link(); }
IPluginManager& IPluginManager::Get() {
  static IPluginManager it;
  return it;
}
TSharedPtr<IPlugin> IPluginManager::FindPlugin(const FString& name) {
  check(name == u"AvatarService");
  auto plugin = MakeShared<IPlugin>();
  plugin->dir = stub::from_utf8(std::getenv("STUB_PLUGIN_DIR")).c_str();
  return plugin;
}

void* FPlatformProcess::GetDllHandle(const TCHAR* path) { return dlopen(stub::to_utf8(path).c_str(), RTLD_NOW); }
void FPlatformProcess::FreeDllHandle(void* handle) { dlclose(handle); }
FString FPaths::ProjectContentDir() { return stub::from_utf8(std::getenv("STUB_CONTENT_DIR")).c_str(); }
bool FFileHelper::LoadFileToArray(TArray<uint8>& bytes, const TCHAR* path) {
  std::ifstream file(stub::to_utf8(path), std::ios::binary);
  if (!file) return false;
  const std::vector<char> all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  bytes.Reset();
  bytes.Append(reinterpret_cast<const uint8*>(all.data()), static_cast<int32>(all.size()));
  return true;
}
bool FFileHelper::LoadFileToString(FString& text, const TCHAR* path) {
  TArray<uint8> bytes;
  if (!LoadFileToArray(bytes, path)) return false;
  const std::string all(bytes.begin(), bytes.end());
  text = FString(stub::from_utf8(all.c_str()));
  return true;
}
