// Behavioural stand-ins for threads, time and files.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <thread>

#include "stub_core.h"

class FCriticalSection {
 public:
  void Lock() { mutex_.lock(); }
  void Unlock() { mutex_.unlock(); }

 private:
  std::recursive_mutex mutex_;
};
class FScopeLock {
 public:
  explicit FScopeLock(FCriticalSection* section) : section_(section) { section_->Lock(); }
  ~FScopeLock() { section_->Unlock(); }
  FScopeLock(const FScopeLock&) = delete;

 private:
  FCriticalSection* section_;
};

enum class EEventMode { AutoReset, ManualReset };
class FEvent {
 public:
  void Trigger() {
    std::lock_guard lock(mutex_);
    is_set_ = true;
    changed_.notify_all();
  }
  bool Wait(uint32 millis) {
    std::unique_lock lock(mutex_);
    const bool was_set = changed_.wait_for(lock, std::chrono::milliseconds(millis), [this] { return is_set_; });
    is_set_ = false;
    return was_set;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_set_ = false;
};
class FEventRef {
 public:
  explicit FEventRef(EEventMode) {}
  FEvent* operator->() const { return &event_; }

 private:
  mutable FEvent event_;
};

class FRunnable {
 public:
  virtual ~FRunnable() = default;
  virtual bool Init() { return true; }
  virtual uint32 Run() = 0;
  virtual void Stop() {}
  virtual void Exit() {}
};
class FRunnableThread {
 public:
  static FRunnableThread* Create(FRunnable* runnable, const TCHAR*) {
    auto* thread = new FRunnableThread;
    thread->thread_ = std::thread([runnable] {
      if (runnable->Init()) runnable->Run();
      runnable->Exit();
    });
    return thread;
  }
  ~FRunnableThread() { WaitForCompletion(); }
  void WaitForCompletion() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

enum class EQueueMode { Spsc, Mpsc };
template <typename T, EQueueMode Mode = EQueueMode::Spsc>
class TQueue {
 public:
  bool Enqueue(T&& item) {
    std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    return true;
  }
  bool Dequeue(T& item) {
    std::lock_guard lock(mutex_);
    if (items_.empty()) return false;
    item = std::move(items_.front());
    items_.pop_front();
    return true;
  }

 private:
  std::mutex mutex_;
  std::deque<T> items_;
};

struct FPlatformTime {
  static double Seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
};
struct FPlatformProcess {
  static void* GetDllHandle(const TCHAR* path);
  static void FreeDllHandle(void* handle);
};
struct FPaths {
  static FString Combine(const FString& a, const FString& b) { return a + u"/" + b; }
  static FString Combine(const FString& a, const FString& b, const FString& c) { return a + u"/" + b + u"/" + c; }
  static bool IsRelative(const FString& path) { return path.IsEmpty() || **path != u'/'; }
  static FString ProjectContentDir();
};
struct FFileHelper {
  static bool LoadFileToArray(TArray<uint8>& bytes, const TCHAR* path);
  static bool LoadFileToString(FString& text, const TCHAR* path);
};
