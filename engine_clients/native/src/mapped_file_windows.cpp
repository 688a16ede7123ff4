#if !defined(NOMINMAX)
#define NOMINMAX
#endif
#include <windows.h>

#include "mapped_file.h"

namespace avatar {

namespace {

std::wstring wide(const std::string& text) {
  const int length = MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()),
                                         nullptr, 0);
  std::wstring result(static_cast<size_t>(length > 0 ? length : 0), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), result.data(),
                      length);
  return result;
}

Status open_fault(const std::string& path, DWORD error) {
  const std::string text = path + ": Windows error " + std::to_string(error);
  if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND) {
    return Status::of(AVATAR_NOT_FOUND, text);
  }
  if (error == ERROR_ACCESS_DENIED) return fault(Reason::PERMISSION_DENIED, text);
  return fault(Reason::INVALID_FILE, text);
}

}  // namespace

Status MappedFile::open(const std::string& path, std::unique_ptr<MappedFile>* file) {
  std::unique_ptr<MappedFile> mapped(new MappedFile);
  // Shared for deletion too: the writer must be able to remove its ring under our eyes.
  HANDLE handle = CreateFileW(wide(path).c_str(), GENERIC_READ,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                              OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (handle == INVALID_HANDLE_VALUE) return open_fault(path, GetLastError());
  mapped->handle_ = reinterpret_cast<intptr_t>(handle);
  mapped->size_ = mapped->current_size();
  if (mapped->size_ == 0) return Status::of(AVATAR_DATA_LOSS, path + ": empty");
  HANDLE mapping = CreateFileMappingW(handle, nullptr, PAGE_READONLY, 0, 0, nullptr);
  if (mapping == nullptr) return open_fault(path, GetLastError());
  mapped->data_ = static_cast<const uint8_t*>(MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0));
  const DWORD error = GetLastError();
  CloseHandle(mapping);  // the view keeps it
  if (mapped->data_ == nullptr) return open_fault(path, error);
  *file = std::move(mapped);
  return {};
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) UnmapViewOfFile(data_);
  if (handle_ != -1) CloseHandle(reinterpret_cast<HANDLE>(handle_));
}

size_t MappedFile::current_size() const {
  LARGE_INTEGER size{};
  if (!GetFileSizeEx(reinterpret_cast<HANDLE>(handle_), &size) || size.QuadPart < 0) return 0;
  return static_cast<size_t>(size.QuadPart);
}

bool MappedFile::is_owned() const { return false; }

}  // namespace avatar
