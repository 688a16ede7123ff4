// Behavioural stand-ins for the part of the engine's Core module that the plugin uses, written from
// the public API reference. They check what we believe about the API, not the API.
#pragma once

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using uint8 = uint8_t;
using int16 = int16_t;
using uint16 = uint16_t;
using int32 = int32_t;
using uint32 = uint32_t;
using int64 = int64_t;
using uint64 = uint64_t;
using SIZE_T = size_t;
using TCHAR = char16_t;  // 16 bits, as in the engine: a literal without TEXT() does not compile

#define TEXT(literal) u##literal
#define check(condition) \
  ((condition) ? void() : stub::fail("check failed: " #condition, __FILE__, __LINE__))
#define PLATFORM_WINDOWS 0
#define PLATFORM_MAC 0
#define WITH_DEV_AUTOMATION_TESTS 1
#define WITH_EDITOR 0
#define AVATARSERVICE_API
enum { INDEX_NONE = -1 };

namespace stub {
[[noreturn]] void fail(const char* what, const char* file, int line);
std::string to_utf8(const std::u16string& text);
std::u16string from_utf8(const char* text);
bool is_game_thread();
}  // namespace stub
inline bool IsInGameThread() { return stub::is_game_thread(); }

template <typename T>
std::remove_reference_t<T>&& MoveTemp(T&& value) {
  static_assert(std::is_lvalue_reference_v<T>, "MoveTemp of something that is temporary already");
  return static_cast<std::remove_reference_t<T>&&>(value);
}

// ---- Containers ------------------------------------------------------------------------------

template <typename T>
class TArrayView {
 public:
  TArrayView() = default;
  TArrayView(T* data, int32 num) : data_(data), num_(num) {}
  T* GetData() const { return data_; }
  int32 Num() const { return num_; }
  T& operator[](int32 i) const {
    check(i >= 0 && i < num_);
    return data_[i];
  }

 private:
  T* data_ = nullptr;
  int32 num_ = 0;
};

template <typename T>
class TArray {
 public:
  TArray() = default;
  TArray(std::initializer_list<T> items) : items_(items.begin(), items.end()) {}
  int32 Num() const { return static_cast<int32>(items_.size()); }
  bool IsEmpty() const { return items_.empty(); }
  int32 Add(const T& item) {
    items_.push_back(Slot{item});
    return Num() - 1;
  }
  void Append(const T* data, int32 num) {
    for (int32 i = 0; i < num; ++i) items_.push_back(Slot{data[i]});
  }
  void Init(const T& item, int32 num) { items_.assign(static_cast<size_t>(num), Slot{item}); }
  void SetNumUninitialized(int32 num) { items_.resize(static_cast<size_t>(num)); }
  void SetNumZeroed(int32 num) { items_.assign(static_cast<size_t>(num), Slot{T{}}); }
  void Reserve(int32 num) { items_.reserve(static_cast<size_t>(num)); }
  void Reset() { items_.clear(); }
  void Empty() { std::vector<Slot>().swap(items_); }
  void RemoveAt(int32 index, int32 count = 1) {
    check(index >= 0 && count >= 0 && index + count <= Num());
    items_.erase(items_.begin() + index, items_.begin() + index + count);
  }
  template <typename Predicate>
  int32 RemoveAll(const Predicate& matches) {
    const int32 before = Num();
    std::erase_if(items_, [&](const Slot& slot) { return matches(slot.item); });
    return before - Num();
  }
  bool Contains(const T& item) const {
    return std::any_of(items_.begin(), items_.end(), [&](const Slot& s) { return s.item == item; });
  }
  T* GetData() { return items_.empty() ? nullptr : &items_[0].item; }
  const T* GetData() const { return items_.empty() ? nullptr : &items_[0].item; }
  T& operator[](int32 i) {
    check(i >= 0 && i < Num());
    return items_[static_cast<size_t>(i)].item;
  }
  const T& operator[](int32 i) const { return const_cast<TArray*>(this)->operator[](i); }
  T* begin() { return GetData(); }
  T* end() { return GetData() + Num(); }
  const T* begin() const { return GetData(); }
  const T* end() const { return GetData() + Num(); }

 private:
  struct Slot {  // keeps std::vector<bool> away
    T item;
    Slot() = default;
    Slot(const T& value) : item(value) {}
  };
  std::vector<Slot> items_;
};

template <typename K, typename V>
struct TPair {
  K Key;
  V Value;
};
template <typename K, typename V>
class TMap {
 public:
  V& Add(const K& key, const V& value) {
    for (auto& pair : pairs_) {
      if (pair.Key == key) return pair.Value = value;
    }
    pairs_.push_back({key, value});
    return pairs_.back().Value;
  }
  const V* Find(const K& key) const {
    for (const auto& pair : pairs_) {
      if (pair.Key == key) return &pair.Value;
    }
    return nullptr;
  }
  int32 Num() const { return static_cast<int32>(pairs_.size()); }
  auto begin() const { return pairs_.begin(); }
  auto end() const { return pairs_.end(); }

 private:
  std::vector<TPair<K, V>> pairs_;
};

template <typename T>
class TSet {
 public:
  void Add(const T& item) {
    if (!Contains(item)) items_.push_back(item);
  }
  bool Contains(const T& item) const {
    return std::find(items_.begin(), items_.end(), item) != items_.end();
  }
  int32 Remove(const T& item) { return static_cast<int32>(std::erase(items_, item)); }
  void Reset() { items_.clear(); }
  int32 Num() const { return static_cast<int32>(items_.size()); }

 private:
  std::vector<T> items_;
};

template <typename Signature>
using TFunction = std::function<Signature>;
template <typename Signature>
class TFunctionRef;
template <typename R, typename... A>
class TFunctionRef<R(A...)> {
 public:
  template <typename F>
  TFunctionRef(F&& callable) : call_(std::ref(callable)) {}
  R operator()(A... args) const { return call_(args...); }

 private:
  std::function<R(A...)> call_;
};

// ---- Text ------------------------------------------------------------------------------------

struct FChar {
  static bool IsAlnum(TCHAR c) { return c < 128 && std::isalnum(static_cast<int>(c)) != 0; }
  static TCHAR ToLower(TCHAR c) {
    return c < 128 ? static_cast<TCHAR>(std::tolower(static_cast<int>(c))) : c;
  }
};

class FString {
 public:
  FString() = default;
  FString(const TCHAR* text) : text_(text == nullptr ? u"" : text) {}
  explicit FString(std::u16string text) : text_(std::move(text)) {}
  const TCHAR* operator*() const { return text_.c_str(); }
  bool IsEmpty() const { return text_.empty(); }
  int32 Len() const { return static_cast<int32>(text_.size()); }
  void Reset() { text_.clear(); }
  void AppendChar(TCHAR c) { text_.push_back(c); }
  bool EndsWith(const TCHAR* end) const;
  FString Left(int32 n) const { return FString(text_.substr(0, at(n))); }
  FString LeftChop(int32 n) const { return Left(std::max(0, Len() - n)); }
  FString RightChop(int32 n) const { return FString(text_.substr(at(n))); }
  FString ToUpper() const;
  const TCHAR* begin() const { return text_.data(); }
  const TCHAR* end() const { return text_.data() + text_.size(); }
  FString operator+(const FString& other) const { return FString(text_ + other.text_); }
  bool operator==(const FString& other) const;  // without case, as the engine's
  bool operator==(const TCHAR* other) const { return *this == FString(other); }
  const std::u16string& raw() const { return text_; }
  template <typename... Args>
  static FString Printf(const TCHAR* format, Args... args);

 private:
  size_t at(int32 n) const { return static_cast<size_t>(std::clamp(n, 0, Len())); }
  std::u16string text_;
};

namespace stub {
struct Argument {
  Argument(const TCHAR* text) : kind('s'), text(text) {}
  template <typename T, std::enable_if_t<std::is_integral_v<T> || std::is_enum_v<T>, int> = 0>
  Argument(T value) : kind(sizeof(T) > 4 ? 'l' : 'd'), integer(static_cast<int64>(value)) {}
  Argument(double value) : kind('f'), real(value) {}
  char kind;
  const TCHAR* text = nullptr;
  int64 integer = 0;
  double real = 0.0;
};
FString format(const TCHAR* format, std::initializer_list<Argument> arguments);
void log(const char* category, const char* verbosity, const FString& text);
}  // namespace stub
template <typename... Args>
FString FString::Printf(const TCHAR* format, Args... args) {
  return stub::format(format, {stub::Argument(args)...});
}

struct FTCHARToUTF8 {
  explicit FTCHARToUTF8(const TCHAR* text) : bytes(stub::to_utf8(text)) {}
  operator const char*() const { return bytes.c_str(); }
  std::string bytes;
};
struct FUTF8ToTCHAR {
  explicit FUTF8ToTCHAR(const char* text) : wide(stub::from_utf8(text)) {}
  operator const TCHAR*() const { return wide.c_str(); }
  std::u16string wide;
};
#define TCHAR_TO_UTF8(text) static_cast<const char*>(FTCHARToUTF8(text))
#define UTF8_TO_TCHAR(text) static_cast<const TCHAR*>(FUTF8ToTCHAR(text))

class FName {  // compares without case, keeps the first spelling's
 public:
  FName() = default;
  FName(const TCHAR* text) : text_(text) {}
  FString ToString() const { return IsNone() ? FString(u"None") : text_; }
  bool IsNone() const { return text_.IsEmpty() || text_ == u"None"; }
  bool operator==(const FName& other) const {
    return ToString() == other.ToString();
  }

 private:
  FString text_;
};
inline const FName NAME_None;

class FText {
 public:
  FText() = default;
  explicit FText(FString text) : text_(std::move(text)) {}
  const FString& ToString() const { return text_; }

 private:
  FString text_;
};
#define LOCTEXT(key, literal) FText(FString(TEXT(literal)))

struct FLogCategoryBase {
  const char* name;
};
#define DECLARE_LOG_CATEGORY_EXTERN(category, ...) extern const FLogCategoryBase category
#define DEFINE_LOG_CATEGORY(category) const FLogCategoryBase category{#category};
#define UE_LOG(category, verbosity, text, ...) \
  stub::log(category.name, #verbosity, FString::Printf(text __VA_OPT__(, ) __VA_ARGS__))

// ---- Pointers --------------------------------------------------------------------------------

enum class ESPMode : uint8 { NotThreadSafe, ThreadSafe };
template <typename T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedRef;

template <typename T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedPtr {
 public:
  TSharedPtr() = default;
  TSharedPtr(std::nullptr_t) {}
  explicit TSharedPtr(std::shared_ptr<T> pointer) : pointer_(std::move(pointer)) {}
  template <typename U, std::enable_if_t<std::is_convertible_v<U*, T*>, int> = 0>
  TSharedPtr(const TSharedPtr<U, Mode>& other) : pointer_(other.raw()) {}
  template <typename U, std::enable_if_t<std::is_convertible_v<U*, T*>, int> = 0>
  TSharedPtr(const TSharedRef<U, Mode>& other) : pointer_(other.raw()) {}
  bool IsValid() const { return pointer_ != nullptr; }
  explicit operator bool() const { return IsValid(); }
  T* Get() const { return pointer_.get(); }
  T* operator->() const {
    check(IsValid());
    return Get();
  }
  T& operator*() const { return *operator->(); }
  void Reset() { pointer_.reset(); }
  TSharedRef<T, Mode> ToSharedRef() const;
  const std::shared_ptr<T>& raw() const { return pointer_; }

 private:
  std::shared_ptr<T> pointer_;
};

template <typename T, ESPMode Mode>
class TSharedRef {
 public:
  explicit TSharedRef(std::shared_ptr<T> pointer) : pointer_(std::move(pointer)) {
    check(pointer_ != nullptr);
  }
  template <typename U, std::enable_if_t<std::is_convertible_v<U*, T*>, int> = 0>
  TSharedRef(const TSharedRef<U, Mode>& other) : pointer_(other.raw()) {}
  T& Get() const { return *pointer_; }
  T* operator->() const { return pointer_.get(); }
  T& operator*() const { return *pointer_; }
  const std::shared_ptr<T>& raw() const { return pointer_; }

 private:
  std::shared_ptr<T> pointer_;
};
template <typename T, ESPMode Mode>
TSharedRef<T, Mode> TSharedPtr<T, Mode>::ToSharedRef() const {
  return TSharedRef<T, Mode>(pointer_);
}
template <typename T, ESPMode Mode = ESPMode::ThreadSafe, typename... Args>
TSharedRef<T, Mode> MakeShared(Args&&... args) {
  return TSharedRef<T, Mode>(std::make_shared<T>(std::forward<Args>(args)...));
}
template <typename T>
TSharedRef<T> MakeShareable(T* object) {
  return TSharedRef<T>(std::shared_ptr<T>(object));
}
template <typename T, ESPMode Mode = ESPMode::ThreadSafe>
class TSharedFromThis : public std::enable_shared_from_this<T> {
 public:
  TSharedRef<T, Mode> AsShared() { return TSharedRef<T, Mode>(this->shared_from_this()); }
};

template <typename T>
class TUniquePtr : public std::unique_ptr<T> {
 public:
  using std::unique_ptr<T>::unique_ptr;
  bool IsValid() const { return this->get() != nullptr; }
  T* Get() const { return this->get(); }
  void Reset(T* object = nullptr) { this->reset(object); }
};
template <typename T, typename... Args>
TUniquePtr<T> MakeUnique(Args&&... args) {
  return TUniquePtr<T>(new T(std::forward<Args>(args)...));
}

#include "stub_maths.h"
