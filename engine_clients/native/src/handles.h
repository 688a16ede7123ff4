// Handles as names: a table from numbers to objects, so that a handle which was closed, or never
// was one, is found out instead of followed.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "status.h"

namespace avatar {

enum class HandleKind : uintptr_t { kRing = 1, kClock = 2, kClient = 3, kSession = 4 };

// H is the opaque type of the C interface, T what stands behind it.
template <typename H, typename T, HandleKind kKind>
class HandleTable {
 public:
  // Never destroyed: engines call in while their process ends.
  static HandleTable& get() {
    static auto* table = new HandleTable;
    return *table;
  }

  H* add(std::shared_ptr<T> object) {
    const std::unique_lock lock(mutex_);
    const uintptr_t name = ++last_ << kKindBits | static_cast<uintptr_t>(kKind);
    objects_.emplace(name, std::move(object));
    return reinterpret_cast<H*>(name);
  }

  Status find(const H* handle, std::shared_ptr<T>* object) const {
    const std::shared_lock lock(mutex_);
    const auto entry = objects_.find(reinterpret_cast<uintptr_t>(handle));
    if (entry == objects_.end()) {
      return fault(Reason::INVALID_FIELD, "the handle was closed or never was one of this kind");
    }
    *object = entry->second;
    return {};
  }

  // Takes the object out; null where it was closed before. INVALID_FIELD: never was one.
  Status take(const H* handle, std::shared_ptr<T>* object) {
    const std::unique_lock lock(mutex_);
    const auto name = reinterpret_cast<uintptr_t>(handle);
    if (handle == nullptr) return {};
    if ((name & kKindMask) != static_cast<uintptr_t>(kKind) || name >> kKindBits == 0 ||
        name >> kKindBits > last_) {
      return fault(Reason::INVALID_FIELD, "the handle never was one of this kind");
    }
    const auto entry = objects_.find(name);
    if (entry != objects_.end()) {
      *object = std::move(entry->second);
      objects_.erase(entry);
    }
    return {};
  }

 private:
  static constexpr int kKindBits = 4;
  static constexpr uintptr_t kKindMask = 15;
  mutable std::shared_mutex mutex_;
  std::unordered_map<uintptr_t, std::shared_ptr<T>> objects_;
  uintptr_t last_ = 0;
};

}  // namespace avatar
