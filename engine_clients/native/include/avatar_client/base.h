/* Versions, features, status, errors, text.
 *
 * Part of avatar_client.h, which says what holds for all functions. */
#ifndef AVATAR_CLIENT_BASE_H
#define AVATAR_CLIENT_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(AVATAR_CLIENT_BUILD)
#define AVATAR_API __declspec(dllexport)
#else
#define AVATAR_API __declspec(dllimport)
#endif
#else
#define AVATAR_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
#define AVATAR_BEGIN_C extern "C" {
#define AVATAR_END_C }
#else
#define AVATAR_BEGIN_C
#define AVATAR_END_C
#endif

AVATAR_BEGIN_C

/* Raised when something that exists changes; what is only added does not raise it. */
#define AVATAR_ABI_VERSION 1u

/* The version the library was built with: compare with AVATAR_ABI_VERSION before anything else. */
AVATAR_API uint32_t avatar_abi_version(void);

/* Version of the library, "MAJOR.MINOR.PATCH"; static. */
AVATAR_API const char* avatar_version(void);

enum {
  AVATAR_FEATURE_GRPC = 1,  /* avatar_client_* and avatar_session_* work */
  AVATAR_FEATURE_ZMQ = 2,   /* the ZeroMQ transport is there */
  AVATAR_FEATURE_JPEG = 4,  /* JPEG frames can be decoded */
  AVATAR_FEATURE_FUTEX = 8, /* waiting on a ring sleeps in the kernel; else it polls every ms */
  AVATAR_FEATURE_H264 = 16  /* H.264 frames can be decoded */
};
/* What this build can do: AVATAR_FEATURE_* ored. */
AVATAR_API uint32_t avatar_features(void);

/* Numerically google.rpc.Code. */
typedef int32_t avatar_status;
enum {
  AVATAR_OK = 0,
  AVATAR_CANCELLED = 1,
  AVATAR_UNKNOWN = 2,
  AVATAR_INVALID_ARGUMENT = 3,
  AVATAR_DEADLINE_EXCEEDED = 4,
  AVATAR_NOT_FOUND = 5,
  AVATAR_ALREADY_EXISTS = 6,
  AVATAR_PERMISSION_DENIED = 7,
  AVATAR_RESOURCE_EXHAUSTED = 8,
  AVATAR_FAILED_PRECONDITION = 9,
  AVATAR_ABORTED = 10,
  AVATAR_OUT_OF_RANGE = 11,
  AVATAR_UNIMPLEMENTED = 12,
  AVATAR_INTERNAL = 13,
  AVATAR_UNAVAILABLE = 14,
  AVATAR_DATA_LOSS = 15,
  AVATAR_UNAUTHENTICATED = 16
};

/* Why a call failed. May be NULL wherever it is asked for; written only when the call fails. */
typedef struct avatar_error {
  uint32_t struct_size;
  int32_t code;                /* the status returned */
  uint32_t retry_after_millis; /* 0: the service named no time after which to try again */
  char reason[64];             /* row of the error table (AVATAR_REASON_*); empty: none fits */
  char message[512];           /* one line for a person */
} avatar_error;

/* Text that is passed in: UTF-8, not necessarily zero-terminated. {NULL, 0} is empty. */
typedef struct avatar_string {
  const char* data;
  uint64_t size;
} avatar_string;

/* Bytes that are passed in. */
typedef struct avatar_bytes {
  const void* data;
  uint64_t size;
} avatar_bytes;

AVATAR_END_C

#endif /* AVATAR_CLIENT_BASE_H */
