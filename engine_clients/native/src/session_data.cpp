// The ways of a session's data: which transport reaches it, and the threads that send and receive.
#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "nanos.h"
#include "session.h"

#if defined(_WIN32)
#include <io.h>
#define access _access
constexpr int kReadable = 4;
#else
#include <unistd.h>
constexpr int kReadable = R_OK;
#endif

namespace avatar {

namespace {

constexpr int64_t kDataPollNanos = 100 * kNanosPerMilli;
// A ZeroMQ socket that has brought nothing for so long while the session runs is behind a firewall.
constexpr int64_t kSilenceNanos = 5 * kNanosPerSec;
constexpr std::string_view kIpc = "ipc://";
constexpr std::string_view kTcp = "tcp://";

bool starts_with(const std::string& text, std::string_view begin) {
  return text.compare(0, begin.size(), begin) == 0;
}

// Where this host reaches the socket; empty: it does not.
std::string reachable(const std::string& address, const std::string& service_host) {
  if (starts_with(address, kIpc)) {
    return access(address.c_str() + kIpc.size(), kReadable) == 0 ? address : std::string();
  }
  if (!starts_with(address, kTcp)) return {};
  const size_t colon = address.rfind(':');
  const std::string host = address.substr(kTcp.size(), colon - kTcp.size());
  if (host != "*" && host != "0.0.0.0" && host != "[::]") return address;
  return std::string(kTcp) + service_host + address.substr(colon);
}

bool find_zmq(const v1::Session& session, bool wants_frames, const std::string& service_host,
              ZmqAddress* zmq) {
  const auto output = wants_frames ? v1::OUTPUT_FRAMES : v1::OUTPUT_MOTION;
  for (const bool is_local : {true, false}) {
    for (const auto& endpoint : session.zmq_endpoints()) {
      if (endpoint.output() != output || starts_with(endpoint.address(), kIpc) != is_local) continue;
      const std::string address = reachable(endpoint.address(), service_host);
      if (address.empty()) continue;
      *zmq = {address, endpoint.topic(), endpoint.curve_server_key()};
      return true;
    }
  }
  return false;
}

bool open_ring(const v1::RingDescriptor& descriptor, std::shared_ptr<RingReader>* ring) {
  if (descriptor.layout_id() != AVATAR_RING_LAYOUT_ID) return false;
  std::shared_ptr<RingReader> reader;
  if (!RingReader::open(descriptor.path(), &reader).ok()) return false;
  const std::string& id = descriptor.ring_id();
  if (id.size() != 16 || std::memcmp(id.data(), reader->ring_id(), 16) != 0) return false;
  *ring = std::move(reader);
  return true;
}

}  // namespace

uint32_t Session::choose_transport(const v1::Session& session, std::shared_ptr<RingReader>* ring,
                                   ZmqAddress* zmq) const {
  const uint32_t allowed = config_.options.transports == 0 ? ~0u : config_.options.transports;
  const uint32_t offered = transport_bits(session) & allowed & ~excluded_transports_;
  const bool has_frames = (output_bits(session) & AVATAR_OUTPUT_FRAMES) != 0;
  if ((offered & AVATAR_TRANSPORT_SHM) != 0 && open_ring(session.ring(), ring)) {
    return AVATAR_TRANSPORT_SHM;
  }
  if ((offered & AVATAR_TRANSPORT_ZMQ) != 0 &&
      find_zmq(session, has_frames, client_->host(), zmq)) {
    return AVATAR_TRANSPORT_ZMQ;
  }
  return offered & AVATAR_TRANSPORT_GRPC;
}

bool Session::may_send(const v1::AnimateRequest& request) const {
  if (!request.has_audio() || request.audio().role() == v1::AUDIO_ROLE_LISTEN) return true;
  // Room for the service's own idea of "now", which is behind ours.
  return max_ahead_nanos_ == 0 || sent_until_pts_ - newest_pts_ < max_ahead_nanos_ * 3 / 4;
}

void Session::send_loop(Stream* stream) {
  std::unique_lock lock(mutex_);
  while (is_stream_open_ && !is_stopping_) {
    if (is_over_) {  // all was read: the service waits for this before it ends the call
      lock.unlock();
      stream->WritesDone();
      return;
    }
    // Speech keeps its order; what is no speech overtakes speech that is too far ahead.
    const bool may_speak = queue_.empty() || may_send(queue_.front());
    const auto next =
        may_speak ? queue_.begin()
                  : std::find_if(queue_.begin(), queue_.end(), [](const v1::AnimateRequest& other) {
                      return !is_speech(other);
                    });
    if (next == queue_.end()) {
      send_queue_changed_.wait_for(lock, std::chrono::milliseconds(queue_.empty() ? 500 : 20));
      continue;
    }
    const v1::AnimateRequest request = std::move(*next);
    queue_.erase(next);
    if (request.has_audio()) {
      const int64_t length_nanos = num_audio_nanos(request.audio());
      queued_nanos_ = std::max<int64_t>(0, queued_nanos_ - length_nanos);
      if (request.audio().role() != v1::AUDIO_ROLE_LISTEN) {
        sent_until_pts_ = std::max(sent_until_pts_, newest_pts_) + length_nanos;
      }
    }
    if (request.has_interrupt()) sent_until_pts_ = newest_pts_;
    lock.unlock();
    const bool is_sent = stream->Write(request);
    lock.lock();
    if (!is_sent) return;  // the reader learns why
  }
}

void Session::ring_loop(std::shared_ptr<RingReader> ring) {
  uint64_t number = 0;
  uint64_t seq = 0;
  std::vector<RingReader::Picture> pictures;
  for (;;) {
    const Status status = ring->wait(seq, kDataPollNanos);
    pictures.clear();
    uint64_t num_refused = 0;
    number = ring->latents_since(number, &pictures, &num_refused);
    std::unique_lock lock(mutex_);
    // The stream may say that all is out before the last of it was taken here.
    const bool is_last = is_over_ && !pictures.empty();
    if (is_stopping_ || (!is_stream_open_ && !is_last)) return;
    check_silence();
    counts_.messages_refused += num_refused;
    for (const RingReader::Picture& picture : pictures) {
      seq = picture.latent.seq;
      JitterItem item;
      item.latent = picture.latent;
      item.published_nanos = picture.published_nanos;
      // Writer and reader share a clock: what waited here was there when it was published.
      take_item(std::move(item), picture.published_nanos);
    }
    if (status.code == AVATAR_DATA_LOSS) {  // truncated: never touch it again
      excluded_transports_ |= AVATAR_TRANSPORT_SHM;
      ring_ = nullptr;
      if (context_ != nullptr) context_->TryCancel();
      return;
    }
    if (status.code == AVATAR_UNAVAILABLE) {  // the stream's end will tell
      send_queue_changed_.wait_for(lock, std::chrono::milliseconds(50));
    }
  }
}

void Session::zmq_loop(const ZmqAddress& address) {
  std::unique_ptr<ZmqSource> source;
  Status status = ZmqSource::open(address, &source);
  const int64_t start_nanos = monotonic_nanos();
  for (;;) {
    JitterItem item;
    uint32_t width_px = 0;
    uint32_t height_px = 0;
    uint64_t num_bytes = 0;
    if (source != nullptr) {
      status = source->receive(static_cast<int>(kDataPollNanos / kNanosPerMilli), &item, &width_px,
                               &height_px, &num_bytes);
    }
    const int64_t now_nanos = monotonic_nanos();
    const std::lock_guard lock(mutex_);
    // The stream may end before the last pictures have come this way.
    if (is_stopping_ || (!is_stream_open_ && !(is_over_ && status.ok()))) return;
    check_silence();
    counts_.bytes_received += num_bytes;
    if (status.ok()) {
      const bool fits = width_px == 0 || (width_px == described_.width_px() &&
                                          height_px == described_.height_px());
      if (fits) {
        take_item(std::move(item), now_nanos);
      } else {
        ++counts_.messages_refused;
      }
    } else if (status.code == AVATAR_DATA_LOSS) {
      ++counts_.messages_refused;
    }
    const bool is_silent =
        !is_burst() && !has_data_ && now_nanos - start_nanos > kSilenceNanos;
    if (source == nullptr || is_silent) {  // another way, with a new stream
      excluded_transports_ |= AVATAR_TRANSPORT_ZMQ;
      if (context_ != nullptr) context_->TryCancel();
      return;
    }
  }
}

// For a connection that has no receiver of its own.
void Session::watch_loop() {
  std::unique_lock lock(mutex_);
  while (is_stream_open_ && !is_stopping_) {
    check_silence();
    state_changed_.wait_for(lock, std::chrono::nanoseconds(kDataPollNanos));
  }
}

void Session::check_silence() {
  const avatar_session_options& options = config_.options;
  // Until the first frame, which may take its time, and in burst, where none is due before speech
  // has come, the figures that were asked for tell of life.
  const bool needs_figures = !has_data_ || is_burst();
  const uint32_t longest_millis = has_data_ ? options.silence_millis : options.opening_millis;
  const bool is_watched =
      longest_millis != 0 && (!needs_figures || options.statistics_millis != 0);
  const int64_t allowed_millis =
      int64_t{longest_millis} + (needs_figures ? options.statistics_millis : 0);
  const int64_t now_nanos = monotonic_nanos();
  // A process that was stopped or starved itself is not to blame the service for it.
  silent_nanos_ += std::min(now_nanos - last_look_nanos_, 2 * kDataPollNanos);
  last_look_nanos_ = now_nanos;
  if (waits_for_room_) silent_nanos_ = 0;
  if (!is_watched || !lost_.ok()) return;
  if (silent_nanos_ <= allowed_millis * kNanosPerMilli) return;
  lost_ = Status::of(AVATAR_UNAVAILABLE, "nothing came for " + std::to_string(allowed_millis) +
                                             " ms: the connection is taken for lost");
  if (context_ != nullptr) context_->TryCancel();
}

}  // namespace avatar
