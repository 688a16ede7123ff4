// A file mapped read-only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "status.h"

namespace avatar {

class MappedFile {
 public:
  // Maps the whole file. AVATAR_NOT_FOUND, AVATAR_PERMISSION_DENIED or INVALID_FILE.
  static Status open(const std::string& path, std::unique_ptr<MappedFile>* file);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  // Size of the file now. Touching a page beyond it would end the process with SIGBUS, so readers
  // look before they touch; whoever truncates between the look and the touch still wins.
  size_t current_size() const;
  // Whether somebody holds the file by flock(2), as a ring's writer does for as long as it lives;
  // the kernel lets go however the writer ends. Always false on Windows, where nobody does.
  bool is_owned() const;

 private:
  MappedFile() = default;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  intptr_t handle_ = -1;
};

}  // namespace avatar
