// Behavioural stand-in for LiveLinkInterface: a client that keeps what is pushed and refuses what
// does not fit.
#pragma once

#include "stub_module.h"
#include "stub_object.h"
#include "stub_threads.h"

class ILiveLinkClient;
class SWidget {};

struct FLiveLinkSubjectKey {
  FLiveLinkSubjectKey(FGuid source, FName subject) : Source(source), SubjectName(subject) {}
  FGuid Source;
  FName SubjectName;
};
struct FLiveLinkWorldTime {
  FLiveLinkWorldTime() = default;
  explicit FLiveLinkWorldTime(double time) : time(time) {}
  double time = 0.0;
};
struct FLiveLinkBaseStaticData {
  static UScriptStruct* StaticStruct() {
    static UScriptStruct it{"LiveLinkBaseStaticData"};
    return &it;
  }
  TArray<FName> PropertyNames;
};
struct FLiveLinkBaseFrameData {
  static UScriptStruct* StaticStruct() {
    static UScriptStruct it{"LiveLinkBaseFrameData"};
    return &it;
  }
  TArray<float> PropertyValues;
  FLiveLinkWorldTime WorldTime;
};
// Move only, and typed at run time, as the engine's.
template <typename Base>
class StubDataStruct {
 public:
  explicit StubDataStruct(const UScriptStruct* type) { check(type == Base::StaticStruct()); }
  StubDataStruct(StubDataStruct&&) = default;
  StubDataStruct(const StubDataStruct&) = delete;
  template <typename T>
  T* Cast() {
    static_assert(std::is_same_v<T, Base>);
    return &data_;
  }

 private:
  Base data_;
};
using FLiveLinkStaticDataStruct = StubDataStruct<FLiveLinkBaseStaticData>;
using FLiveLinkFrameDataStruct = StubDataStruct<FLiveLinkBaseFrameData>;

class ULiveLinkRole : public UObject {};
class ULiveLinkBasicRole : public ULiveLinkRole {
 public:
  static UClass* StaticClass() {
    static UClass it{"LiveLinkBasicRole"};
    return &it;
  }
};

class ILiveLinkSource {
 public:
  virtual ~ILiveLinkSource() = default;
  virtual void ReceiveClient(ILiveLinkClient* InClient, FGuid InSourceGuid) = 0;
  virtual bool IsSourceStillValid() const = 0;
  virtual bool RequestSourceShutdown() = 0;
  virtual FText GetSourceType() const = 0;
  virtual FText GetSourceMachineName() const = 0;
  virtual FText GetSourceStatus() const = 0;
};
class ILiveLinkClient : public IModularFeature {
 public:
  inline static const FName ModularFeatureName{u"LiveLinkClient"};
  virtual FGuid AddSource(TSharedPtr<ILiveLinkSource> Source) = 0;
  virtual void PushSubjectStaticData_AnyThread(const FLiveLinkSubjectKey& Key, TSubclassOf<ULiveLinkRole> Role,
                                               FLiveLinkStaticDataStruct&& Data) = 0;
  virtual void PushSubjectFrameData_AnyThread(const FLiveLinkSubjectKey& Key, FLiveLinkFrameDataStruct&& Data) = 0;
  virtual void RemoveSubject_AnyThread(const FLiveLinkSubjectKey& Key) = 0;
};

class ULiveLinkSourceFactory : public UObject {
 public:
  enum class EMenuType { SubPanel, MenuEntry, Disabled };
  virtual FText GetSourceDisplayName() const = 0;
  virtual FText GetSourceTooltip() const = 0;
  virtual EMenuType GetMenuType() const { return EMenuType::Disabled; }
  virtual TSharedPtr<ILiveLinkSource> CreateSource(const FString&) const { return nullptr; }
};

namespace stub {
struct LiveLinkFrame {
  double world_time;
  std::vector<float> values;
};
struct LiveLinkSubject {
  std::string role;
  std::vector<std::string> names;
  std::vector<LiveLinkFrame> frames;
  int removed = 0;
};
LiveLinkSubject live_link_subject(const char* name);
}  // namespace stub
