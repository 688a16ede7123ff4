// avatar_session_*: one running face.
#include "abi_rpc.h"
#include "convert.h"
#include "frame_views.h"

namespace {

using avatar::RpcClient;
using avatar::Session;
using avatar::Status;
namespace abi = avatar::abi;

// Runs the body on the session behind the handle.
template <typename Body>
avatar_status with_session(avatar_session* handle, avatar_error* error, Body body) {
  return abi::guard(error, [&] {
    std::shared_ptr<Session> session;
    const Status status = abi::Sessions::get().find(handle, &session);
    if (!status.ok()) return status;
    return body(*session);
  });
}

Status put_frame(const Session::DueFrame& due, avatar_frame* frame, avatar_motion* motion) {
  const Status status = abi::write_struct(frame, due.frame, "frame");
  if (!status.ok()) return status;
  avatar_motion record = due.motion;
  if ((due.frame.flags & AVATAR_FRAME_NEW) != 0) record.flags |= AVATAR_MOTION_NEW;
  if ((due.frame.flags & AVATAR_FRAME_STARVED) != 0) record.flags |= AVATAR_MOTION_STARVED;
  return abi::write_struct(motion, record, "motion");
}

}  // namespace

avatar_status avatar_session_options_init(avatar_session_options* options, uint32_t struct_size) {
  return abi::guard(nullptr, [&] {
    avatar_session_options defaults{};
    defaults.fps_num = 40;
    defaults.fps_den = 1;
    defaults.playout_delay_millis = -1;
    defaults.min_delay_millis = 20;
    defaults.max_delay_millis = 600;
    defaults.buffer_millis = 500;
    defaults.starve_hold_millis = 100;
    defaults.starve_blend_millis = 250;
    defaults.recover_blend_millis = 120;
    defaults.statistics_millis = 1000;
    defaults.reconnect = 1;
    defaults.silence_millis = 5000;
    defaults.opening_millis = 10'000;
    return abi::init_struct(options, struct_size, defaults);
  });
}

avatar_status avatar_controls_init(avatar_controls* controls, uint32_t struct_size) {
  return abi::guard(nullptr, [&] {
    avatar_controls defaults{};
    defaults.distance = defaults.head_motion = defaults.expression = 1.0f;
    defaults.blink_rate = defaults.idle = 1.0f;
    defaults.background = AVATAR_BACKGROUND_KEEP;
    return abi::init_struct(controls, struct_size, defaults);
  });
}

avatar_status avatar_session_open(avatar_client* client, const avatar_session_options* options,
                                  avatar_session** session, avatar_error* error) {
  return abi::guard(error, [&] {
    if (session == nullptr) return abi::null_argument("session");
    *session = nullptr;
    std::shared_ptr<RpcClient> rpc;
    Status status = abi::Clients::get().find(client, &rpc);
    Session::Config config;
    avatar_session_options_init(&config.options, sizeof config.options);
    if (status.ok()) status = abi::read_struct(options, &config.options, "options");
    if (!status.ok()) return status;
    config.avatar_id = abi::take_text(config.options.avatar_id);
    config.session_id = abi::take_text(config.options.session_id);
    if (config.options.controls != nullptr) {
      avatar_controls controls{};
      avatar_controls_init(&controls, sizeof controls);
      status = abi::read_struct(config.options.controls, &controls, "controls");
      if (status.ok()) status = avatar::to_message(controls, &config.controls);
      if (!status.ok()) return status;
    }
    config.options.controls = nullptr;
    config.options.avatar_id = config.options.session_id = {};
    std::shared_ptr<Session> made;
    status = Session::open(std::move(rpc), std::move(config), &made);
    if (status.ok()) *session = abi::Sessions::get().add(std::move(made));
    return status;
  });
}

avatar_status avatar_session_get_info(avatar_session* session, avatar_session_info* info,
                                      avatar_error* error) {
  return with_session(session, error,
                      [&](Session& s) { return abi::write_struct(info, s.info(), "info"); });
}

avatar_status avatar_session_wait_ready(avatar_session* session, uint32_t timeout_millis,
                                        avatar_error* error) {
  return with_session(session, error, [&](Session& s) {
    return s.wait_ready(std::chrono::milliseconds(timeout_millis));
  });
}

avatar_status avatar_session_last_error(avatar_session* session, avatar_error* error) {
  return with_session(session, error, [&](Session& s) { return s.last_error(); });
}

avatar_status avatar_session_push_audio(avatar_session* session, const avatar_audio* audio,
                                        avatar_error* error) {
  return with_session(session, error, [&](Session& s) {
    avatar_audio given{};
    const Status status = abi::read_struct(audio, &given, "audio");
    return status.ok() ? s.push_audio(given) : status;
  });
}

avatar_status avatar_session_push_phones(avatar_session* session, const avatar_phones* phones,
                                         avatar_error* error) {
  return with_session(session, error, [&](Session& s) {
    avatar_phones given{};
    const Status status = abi::read_struct(phones, &given, "phones");
    return status.ok() ? s.push_phones(given) : status;
  });
}

avatar_status avatar_session_end_segment(avatar_session* session, uint32_t role,
                                         avatar_error* error) {
  return with_session(session, error, [&](Session& s) { return s.end_segment(role); });
}

avatar_status avatar_session_set_controls(avatar_session* session, const avatar_controls* controls,
                                          int64_t effective_pts_nanos, uint64_t* change_id,
                                          avatar_error* error) {
  return with_session(session, error, [&](Session& s) {
    avatar_controls given{};
    avatar_controls_init(&given, sizeof given);
    const Status status = abi::read_struct(controls, &given, "controls");
    return status.ok() ? s.set_controls(given, effective_pts_nanos, change_id) : status;
  });
}

avatar_status avatar_session_interrupt(avatar_session* session, int64_t heard_pts_nanos,
                                       avatar_error* error) {
  return with_session(session, error, [&](Session& s) { return s.interrupt(heard_pts_nanos); });
}

avatar_status avatar_session_ack_playback(avatar_session* session, int64_t pts_nanos,
                                          avatar_error* error) {
  return with_session(session, error, [&](Session& s) { return s.ack_playback(pts_nanos); });
}

avatar_status avatar_session_now(avatar_session* session, int64_t* pts_nanos,
                                 avatar_error* error) {
  return with_session(session, error, [&](Session& s) {
    return pts_nanos == nullptr ? abi::null_argument("pts_nanos") : s.now(pts_nanos);
  });
}

avatar_status avatar_session_read_motion(avatar_session* session, int64_t pts_nanos,
                                         avatar_motion* motion, avatar_error* error) {
  return with_session(session, error, [&](Session& s) {
    avatar_motion record{};
    const Status status = s.read_motion(pts_nanos, &record);
    return status.ok() ? abi::write_struct(motion, record, "motion") : status;
  });
}

avatar_status avatar_session_copy_frame(avatar_session* session, int64_t pts_nanos,
                                        uint64_t have_seq, uint8_t* pixels, uint64_t capacity,
                                        avatar_frame* frame, avatar_motion* motion,
                                        avatar_error* error) {
  return with_session(session, error, [&](Session& s) {
    Session::DueFrame due;
    const Status status = s.copy_frame(pts_nanos, have_seq, pixels, capacity, &due);
    return status.ok() ? put_frame(due, frame, motion) : status;
  });
}

avatar_status avatar_session_acquire_frame(avatar_session* session, int64_t pts_nanos,
                                           avatar_frame_view* view, avatar_frame* frame,
                                           avatar_motion* motion, avatar_error* error) {
  return with_session(session, error, [&](Session& s) {
    if (view == nullptr) return abi::null_argument("view");
    Session::DueFrame due;
    Status status = s.acquire_frame(pts_nanos, &due);
    if (status.ok()) status = put_frame(due, frame, motion);
    if (!status.ok()) return status;
    avatar_frame_view record{};
    if (due.ring != nullptr) {
      avatar::lend_ring_frame(due.ring, due.picture, &record);
    } else {
      avatar::lend_pixels(due.pixels, &record);
    }
    status = abi::write_struct(view, record, "view");
    if (!status.ok()) avatar::release_frame(record.token);
    return status;
  });
}

avatar_status avatar_session_wait(avatar_session* session, uint64_t have_seq,
                                  uint32_t timeout_millis, avatar_error* error) {
  return with_session(session, error, [&](Session& s) {
    return s.wait(have_seq, std::chrono::milliseconds(timeout_millis));
  });
}

avatar_status avatar_session_next_event(avatar_session* session, avatar_event* event,
                                        avatar_error* error) {
  return with_session(session, error, [&](Session& s) {
    if (event == nullptr) return abi::null_argument("event");
    return abi::write_struct(event, s.next_event(), "event");
  });
}

avatar_status avatar_session_next_audio(avatar_session* session, void* samples, uint64_t capacity,
                                        avatar_audio_chunk* chunk, avatar_error* error) {
  return with_session(session, error, [&](Session& s) {
    avatar_audio_chunk record{};
    const Status status = s.next_audio(samples, capacity, &record);
    const Status written = abi::write_struct(chunk, record, "chunk");
    return written.ok() ? status : written;
  });
}

avatar_status avatar_session_get_statistics(avatar_session* session,
                                            avatar_statistics* statistics, avatar_error* error) {
  return with_session(session, error, [&](Session& s) {
    return abi::write_struct(statistics, s.statistics(), "statistics");
  });
}

avatar_status avatar_session_close(avatar_session* session) {
  return abi::guard(nullptr, [&] {
    std::shared_ptr<Session> taken;
    const Status status = abi::Sessions::get().take(session, &taken);
    if (taken != nullptr) taken->close();
    return status;
  });
}
