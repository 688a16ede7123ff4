// Behavioural stand-ins for modules, plugins and automation tests.
#pragma once

#include "stub_core.h"
#include "stub_threads.h"

class IModuleInterface {
 public:
  virtual ~IModuleInterface() = default;
  virtual void StartupModule() {}
  virtual void ShutdownModule() {}
};
namespace stub {
using ModuleMaker = IModuleInterface* (*)();
struct ModuleEntry {
  ModuleEntry(const TCHAR* name, ModuleMaker make);
};
IModuleInterface* load_module(const TCHAR* name);
void unload_modules();
void unload_modules_keep_objects();
}  // namespace stub
#define IMPLEMENT_MODULE(type, name) \
  static const stub::ModuleEntry stub_module_##name(u## #name, []() -> IModuleInterface* { return new type; });
struct FModuleManager {
  template <typename T>
  static T& LoadModuleChecked(const TCHAR* name) {
    check(IsInGameThread());
    T* module = dynamic_cast<T*>(stub::load_module(name));
    check(module != nullptr);
    return *module;
  }
};

class IModularFeature {
 public:
  virtual ~IModularFeature() = default;
};
class IModularFeatures {
 public:
  static IModularFeatures& Get();
  bool IsModularFeatureAvailable(FName name);
  template <typename T>
  T& GetModularFeature(FName name) {
    check(IsModularFeatureAvailable(name));
    return static_cast<T&>(feature());
  }

 private:
  IModularFeature& feature();
};

class IPlugin {
 public:
  FString GetBaseDir() const { return dir; }
  FString dir;
};
class IPluginManager {
 public:
  static IPluginManager& Get();
  TSharedPtr<IPlugin> FindPlugin(const FString& name);
};

namespace EAutomationTestFlags {
enum Type { EditorContext = 1, ClientContext = 2, EngineFilter = 4 };
}
class FAutomationTestBase {
 public:
  explicit FAutomationTestBase(const char* name);
  virtual ~FAutomationTestBase() = default;
  virtual bool RunTest(const FString& parameters) = 0;
  bool TestTrue(const FString& what, bool value) { return expect(what, value, "is not true"); }
  bool TestFalse(const FString& what, bool value) { return expect(what, !value, "is not false"); }
  template <typename T>
  bool TestEqual(const FString& what, const T& actual, const T& expected) {
    if constexpr (std::is_floating_point_v<T>) {
      return expect(what, std::abs(actual - expected) <= T(1e-4), "differs");
    } else {
      return expect(what, actual == expected, "differs");
    }
  }
  bool TestEqual(const FString& what, double actual, double expected, double tolerance) {
    return expect(what, std::abs(actual - expected) <= tolerance, "differs");
  }
  bool expect(const FString& what, bool holds, const char* how);
  const char* name;
  int failures = 0;
  int checks = 0;
};
namespace stub {
int run_automation_tests();  // prints a line of JSON for each; returns how many failed
}
#define IMPLEMENT_SIMPLE_AUTOMATION_TEST(type, test_name, flags)              \
  class type : public FAutomationTestBase {                                   \
   public:                                                                    \
    type() : FAutomationTestBase(test_name) { static_assert((flags) != 0); }  \
    bool RunTest(const FString& Parameters) override;                         \
  };                                                                          \
  static type stub_test_##type;
