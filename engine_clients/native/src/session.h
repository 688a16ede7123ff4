// One running face: its connection, what came in, what goes out.
//
// Threads: run_thread_ connects, reads the Animate stream and connects again; a sender writes the
// stream; a receiver reads ring or ZeroMQ. The latter two live as long as one connection. All
// state is under mutex_; no lock is held while a call of gRPC, ZeroMQ or the ring blocks, nor while
// pixels are copied.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "convert.h"
#include "h264.h"
#include "jitter_buffer.h"
#include "ring_reader.h"
#include "rpc_client.h"
#include "zmq_source.h"

namespace avatar {

class Session : public std::enable_shared_from_this<Session> {
 public:
  struct Config {
    avatar_session_options options{};  // its strings and pointers are not to be followed
    std::string avatar_id;
    std::string session_id;
    v1::Controls controls;
  };
  // Pixels of a frame that is due: in the ring, or owned.
  struct DueFrame {
    avatar_frame frame{};
    avatar_motion motion{};
    std::shared_ptr<RingReader> ring;
    RingReader::Picture picture;
    std::shared_ptr<const Pixels> pixels;
  };

  static Status open(std::shared_ptr<RpcClient> client, Config config,
                     std::shared_ptr<Session>* session);
  ~Session();
  // Idempotent; from any thread but the session's own.
  void close();

  // What the functions of the C interface do; see avatar_client.h. Reading: session_read.cpp.
  avatar_session_info info();
  Status wait_ready(std::chrono::milliseconds timeout);
  Status last_error();
  Status push_audio(const avatar_audio& audio);
  Status push_phones(const avatar_phones& phones);
  Status end_segment(uint32_t role);
  Status set_controls(const avatar_controls& controls, int64_t effective_pts_nanos,
                      uint64_t* change_id);
  Status interrupt(int64_t heard_pts_nanos);
  Status ack_playback(int64_t pts_nanos);
  Status now(int64_t* pts_nanos);
  Status read_motion(int64_t pts_nanos, avatar_motion* motion);
  Status copy_frame(int64_t pts_nanos, uint64_t have_seq, uint8_t* pixels, uint64_t capacity,
                    DueFrame* due);
  Status acquire_frame(int64_t pts_nanos, DueFrame* due);
  Status wait(uint64_t have_seq, std::chrono::milliseconds timeout);
  avatar_event next_event();
  Status next_audio(void* samples, uint64_t capacity, avatar_audio_chunk* chunk);
  avatar_statistics statistics();

 private:
  using Stream = grpc::ClientReaderWriterInterface<v1::AnimateRequest, v1::AnimateResponse>;
  struct OpenSegment {
    uint32_t role = AVATAR_ROLE_SPEAK;
    std::string segment_id;
  };

  Session(std::shared_ptr<RpcClient> client, Config config);

  // session_link.cpp: the connection, on run_thread_.
  void run();
  Status connect_and_read();
  template <typename Call>
  Status call_service(Call call);
  Status find_or_create(v1::Session* session, bool* is_new);
  v1::CreateSessionRequest create_request(uint64_t capabilities) const;
  bool ask_to_open(Stream* stream, const v1::AnimateRequest& request,
                   grpc::ClientContext* context);
  void watch_opening();
  Status read_stream(const v1::Session& session, uint32_t transport,
                     std::shared_ptr<RingReader> ring, const ZmqAddress& zmq);
  void lose_connection(const Status& status, bool will_retry);
  void leave();

  // session_data.cpp: transports and the two threads of a connection.
  uint32_t choose_transport(const v1::Session& session, std::shared_ptr<RingReader>* ring,
                            ZmqAddress* zmq) const;
  void send_loop(Stream* stream);
  bool may_send(const v1::AnimateRequest& request) const;
  void ring_loop(std::shared_ptr<RingReader> ring);
  void zmq_loop(const ZmqAddress& address);
  void watch_loop();
  void check_silence();  // under mutex_

  // session_events.cpp: what the stream brings.
  void handle(const v1::AnimateResponse& response);
  void handle_frame(const v1::Frame& frame);
  Status decode(const v1::Frame& frame, uint32_t width_px, uint32_t height_px, JitterItem* item);
  void handle_motion(const v1::MotionLatent& latent);
  void handle_started(const v1::SegmentStarted& started);
  void handle_ended(const v1::SegmentEnded& ended);
  void handle_interrupted(const v1::Interrupted& interrupted);
  void take_item(JitterItem item, int64_t arrival_nanos);  // under mutex_
  void add_event(avatar_event event);                      // under mutex_
  void set_state(uint32_t state, const std::string& why);  // under mutex_

  Status check_sending() const;  // under mutex_
  bool wants_frames() const { return (outputs_ & AVATAR_OUTPUT_FRAMES) != 0; }
  bool is_burst() const { return config_.options.pacing == AVATAR_PACING_BURST; }
  Status find_due(int64_t pts_nanos, DueFrame* due);

  const std::shared_ptr<RpcClient> client_;
  Config config_;
  std::thread run_thread_;
  std::once_flag close_once_;

  mutable std::mutex mutex_;
  std::condition_variable state_changed_;
  std::condition_variable data_came_;
  std::condition_variable send_queue_changed_;
  bool is_stopping_ = false;
  grpc::ClientContext* context_ = nullptr;  // of the call or stream under way
  bool is_answered_ = false;     // the opening of the stream, whatever the answer
  bool may_have_ghost_ = false;  // a stream left here may still be there for the service
  bool is_stream_open_ = false;
  bool is_over_ = false;         // the service has said its last
  bool has_data_ = false;        // something has come by this connection
  int64_t silent_nanos_ = 0;     // and nothing (more) for so long, as far as this process ran
  int64_t last_look_nanos_ = 0;  // when that was last added up
  bool waits_for_room_ = false;  // the game is to show a frame before the next is read
  Status lost_;                  // why this side gave the connection up
  uint32_t state_ = AVATAR_STATE_CONNECTING;
  Status last_error_;
  uint64_t capabilities_ = 0;
  int64_t max_ahead_nanos_ = 0;
  uint32_t excluded_transports_ = 0;  // tried and found silent

  // The session as the service described it.
  std::string session_id_;
  bool is_owned_ = false;  // opened here: closed here
  v1::Session described_;
  uint32_t outputs_ = 0;
  uint32_t transport_ = 0;
  std::shared_ptr<RingReader> ring_;

  std::unique_ptr<H264Decoder> h264_;  // of this connection; run_thread_ only
  JitterBuffer buffer_;
  std::deque<avatar_event> events_;
  std::deque<v1::AudioEcho> echoes_;

  // Outgoing.
  std::deque<v1::AnimateRequest> queue_;
  int64_t queued_nanos_ = 0;
  std::map<uint32_t, v1::AudioChunk> pushed_format_;  // by role, of the segment being pushed
  uint64_t last_change_id_ = 0;
  int64_t last_ack_nanos_ = 0;
  int64_t sent_until_pts_ = 0;  // session time up to which speech was sent
  int64_t newest_pts_ = 0;
  std::deque<OpenSegment> open_segments_;

  avatar_statistics counts_{};
  uint64_t last_shown_seq_ = 0;
};

}  // namespace avatar
