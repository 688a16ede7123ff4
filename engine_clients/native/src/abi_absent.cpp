// avatar_client_* and avatar_session_* of a build without gRPC: each says so.
#include "abi.h"

namespace {

avatar_status absent(avatar_error* error) {
  return avatar::abi::guard(error, [] {
    return avatar::fault(avatar::Reason::TRANSPORT_NOT_SUPPORTED,
                         "this build of the library has no gRPC: only avatar_ring_* and "
                         "avatar_clock_* work");
  });
}

}  // namespace

avatar_status avatar_client_options_init(avatar_client_options*, uint32_t) {
  return absent(nullptr);
}

avatar_status avatar_client_create(
    const avatar_client_options*, avatar_client**, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_client_get_server_info(
    avatar_client*, uint32_t, avatar_server_info*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_client_create_avatar(
    avatar_client*, const avatar_photo*, uint32_t, avatar_info*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_client_delete_avatar(
    avatar_client*, avatar_string, uint32_t, uint32_t, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_client_close(avatar_client*) {
  return absent(nullptr);
}

avatar_status avatar_session_options_init(avatar_session_options*, uint32_t) {
  return absent(nullptr);
}

avatar_status avatar_controls_init(avatar_controls*, uint32_t) {
  return absent(nullptr);
}

avatar_status avatar_session_open(
    avatar_client*, const avatar_session_options*, avatar_session**, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_get_info(
    avatar_session*, avatar_session_info*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_wait_ready(avatar_session*, uint32_t, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_last_error(avatar_session*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_push_audio(
    avatar_session*, const avatar_audio*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_push_phones(
    avatar_session*, const avatar_phones*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_end_segment(avatar_session*, uint32_t, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_set_controls(
    avatar_session*, const avatar_controls*, int64_t, uint64_t*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_interrupt(avatar_session*, int64_t, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_ack_playback(avatar_session*, int64_t, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_now(avatar_session*, int64_t*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_read_motion(
    avatar_session*, int64_t, avatar_motion*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_copy_frame(
    avatar_session*, int64_t, uint64_t, uint8_t*, uint64_t, avatar_frame*, avatar_motion*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_acquire_frame(
    avatar_session*, int64_t, avatar_frame_view*, avatar_frame*, avatar_motion*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_wait(avatar_session*, uint64_t, uint32_t, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_next_event(avatar_session*, avatar_event*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_next_audio(
    avatar_session*, void*, uint64_t, avatar_audio_chunk*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_get_statistics(
    avatar_session*, avatar_statistics*, avatar_error* error) {
  return absent(error);
}

avatar_status avatar_session_close(avatar_session*) {
  return absent(nullptr);
}
