// Behavioural stand-ins for objects, reflection macros (header_tool.py writes the generated
// headers) and delegates.
#pragma once

#include "stub_core.h"

#define UCLASS(...)
#define USTRUCT(...)
#define UENUM(...)
#define UPROPERTY(...)
#define UFUNCTION(...)
#define STUB_PASTE_(a, b, c) a##b##_##c
#define STUB_PASTE(a, b, c) STUB_PASTE_(a, b, c)
#define GENERATED_BODY(...) STUB_PASTE(STUB_BODY_, STUB_FILE_ID, __LINE__)

struct UClass {
  const char* name;
};
struct UScriptStruct {
  const char* name;
};
class FObjectInitializer {};

class UObject {
 public:
  using ThisClass = UObject;
  virtual ~UObject() = default;
  static UClass* StaticClass() {
    static UClass it{"Object"};
    return &it;
  }
  FString GetName() const { return Name; }
  FName GetFName() const { return FName(*Name); }
  FString Name = u"Object_0";
  UObject* Outer = nullptr;
};
namespace stub {
void keep(UObject* object);  // until the end: there is no collector
}
template <typename T>
T* NewObject(UObject* outer = nullptr) {
  check(IsInGameThread());
  static_assert(std::is_base_of_v<UObject, T>);
  T* object = new T();
  object->Outer = outer;
  object->Name = FString(stub::from_utf8(T::StaticClass()->name)) + u"_0";
  stub::keep(object);
  return object;
}

template <typename T>
class TObjectPtr {
 public:
  TObjectPtr() = default;
  TObjectPtr(std::nullptr_t) {}
  TObjectPtr(T* object) : object_(object) {}
  T* Get() const { return object_; }
  operator T*() const { return object_; }
  T* operator->() const {
    check(object_ != nullptr);
    return object_;
  }

 private:
  T* object_ = nullptr;
};
template <typename T>
class TWeakObjectPtr {
 public:
  TWeakObjectPtr() = default;
  TWeakObjectPtr& operator=(T* object) {
    object_ = object;
    return *this;
  }
  T* Get() const { return object_; }
  void Reset() { object_ = nullptr; }

 private:
  T* object_ = nullptr;
};
template <typename T>
class TSubclassOf {
 public:
  TSubclassOf(UClass* it) : class_(it) {}
  UClass* Get() const { return class_; }

 private:
  UClass* class_;
};

// A listener is an object and one of its members; it hears nothing off the game thread.
namespace stub {
template <typename... Args>
class DynamicDelegate {
 public:
  template <typename Object>
  void add(Object* object, void (Object::*member)(Args...)) {
    listeners_.push_back([=](Args... args) { (object->*member)(args...); });
  }
  void Broadcast(Args... args) const {
    check(IsInGameThread());
    const auto listeners = listeners_;
    for (const auto& listener : listeners) listener(args...);
  }
  bool IsBound() const { return !listeners_.empty(); }

 private:
  std::vector<std::function<void(Args...)>> listeners_;
};
}  // namespace stub
#define AddDynamic(object, member) add(object, member)
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE(name) \
  class name : public stub::DynamicDelegate<> {}
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(name, type1, param1) \
  class name : public stub::DynamicDelegate<type1> {}
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(name, type1, param1, type2, param2) \
  class name : public stub::DynamicDelegate<type1, type2> {}
