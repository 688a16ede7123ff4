#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mapped_file.h"

namespace avatar {

namespace {

#if defined(MAP_POPULATE)
constexpr int kPopulate = MAP_POPULATE;
#else
constexpr int kPopulate = 0;
#endif

Status open_fault(const std::string& path) {
  const int error = errno;
  const std::string text = path + ": " + std::strerror(error);
  if (error == ENOENT) return Status::of(AVATAR_NOT_FOUND, text);
  if (error == EACCES || error == EPERM) return fault(Reason::PERMISSION_DENIED, text);
  return fault(Reason::INVALID_FILE, text);
}

}  // namespace

Status MappedFile::open(const std::string& path, std::unique_ptr<MappedFile>* file) {
  std::unique_ptr<MappedFile> mapped(new MappedFile);
  // Not blocking: a fifo in the ring's place must not hang the reader.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return open_fault(path);
  mapped->handle_ = descriptor;
  struct stat facts {};
  if (fstat(descriptor, &facts) != 0) return open_fault(path);
  if (!S_ISREG(facts.st_mode) || facts.st_size <= 0) {
    return Status::of(AVATAR_DATA_LOSS, path + ": not a regular file, or empty");
  }
  mapped->size_ = static_cast<size_t>(facts.st_size);
  // All pages at once: else each first look at one is a fault, and the first frames come late.
  void* data = mmap(nullptr, mapped->size_, PROT_READ, MAP_SHARED | kPopulate, descriptor, 0);
  if (data == MAP_FAILED) return open_fault(path);
  mapped->data_ = static_cast<const uint8_t*>(data);
  *file = std::move(mapped);
  return {};
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
  if (handle_ >= 0) ::close(static_cast<int>(handle_));
}

size_t MappedFile::current_size() const {
  struct stat facts {};
  if (fstat(static_cast<int>(handle_), &facts) != 0 || facts.st_size < 0) return 0;
  return static_cast<size_t>(facts.st_size);
}

bool MappedFile::is_owned() const {
  const int descriptor = static_cast<int>(handle_);
  if (flock(descriptor, LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
  flock(descriptor, LOCK_UN);
  return false;
}

}  // namespace avatar
