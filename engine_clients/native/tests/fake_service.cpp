#include "fake_service.h"

#include <chrono>
#include <cstring>
#include <thread>

#include <turbojpeg.h>
#include <zmq.h>

#include "avatar_client.h"
#include "status_details.pb.h"
#include "wire_message.h"

namespace avatar::test {

namespace {

grpc::Status answer(grpc::StatusCode code, const std::string& reason) {
  client::ErrorInfoDetail info;
  info.set_reason(reason);
  info.set_domain("avatar.v1");
  client::StatusDetails details;
  details.set_code(code);
  google::protobuf::Any& any = *details.add_details();
  any.set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  any.set_value(info.SerializeAsString());
  return {code, "told by the fake service", details.SerializeAsString()};
}

std::string blob_of(uint64_t seq, int64_t pts_nanos, uint32_t epoch) {
  std::string blob = motion_blob();
  const auto short_epoch = static_cast<uint16_t>(epoch);
  const auto short_seq = static_cast<uint32_t>(seq);
  std::memcpy(blob.data() + AVATAR_RING_BLOB_EPOCH_OFFSET, &short_epoch, 2);
  std::memcpy(blob.data() + AVATAR_RING_BLOB_SEQ_OFFSET, &short_seq, 4);
  std::memcpy(blob.data() + AVATAR_RING_BLOB_PTS_NANOS_OFFSET, &pts_nanos, 8);
  blob[AVATAR_RING_BLOB_EXPRESSION_OFFSET + 17] = static_cast<char>(204);  // jawOpen 1
  return blob;
}

std::string jpeg_of(const std::string& rgba) {
  const tjhandle encoder = tjInitCompress();
  unsigned char* data = nullptr;
  unsigned long size = 0;
  tjCompress2(encoder, reinterpret_cast<const unsigned char*>(rgba.data()), kSizePx, 0, kSizePx,
              TJPF_RGBA, &data, &size, TJSAMP_444, 95, 0);
  std::string jpeg(reinterpret_cast<char*>(data), size);
  tjFree(data);
  tjDestroy(encoder);
  return jpeg;
}

}  // namespace

FakeService::FakeService(Options options) : options_(std::move(options)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(options_.port),
                           grpc::InsecureServerCredentials(), &port_);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.RegisterService(this);
  if (options_.has_shm) {
    ring_ = std::make_unique<RingWriter>(temporary_path("fake_ring"), kSizePx, kSizePx);
  }
  zmq_path_ = temporary_path("fake_zmq");
  server_ = builder.BuildAndStart();
}

FakeService::~FakeService() {
  kill();
  std::remove(zmq_path_.c_str());  // libzmq leaves it
}

void FakeService::kill() {
  is_killed_ = true;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

grpc::Status FakeService::GetServerInfo(grpc::ServerContext* context,
                                        const v1::GetServerInfoRequest*,
                                        v1::GetServerInfoResponse* response) {
  if (!options_.token.empty()) {
    const auto& metadata = context->client_metadata();
    const auto entry = metadata.find("authorization");
    if (entry == metadata.end() || entry->second != "Bearer " + options_.token) {
      return answer(grpc::StatusCode::UNAUTHENTICATED, "UNAUTHENTICATED");
    }
  }
  response->set_api_version(options_.api_version);
  response->set_device("fake");
  response->add_speaking_styles("neutral");
  response->add_speaking_styles("lively");
  response->add_motion_models("mixed");
  response->add_motion_models("rules");
  response->mutable_limits()->set_max_audio_ahead_millis(60'000);
  response->add_capabilities(v1::CAPABILITY_TRANSPORT_GRPC);
  response->add_capabilities(v1::CAPABILITY_ENCODING_JPEG);
  if (options_.has_shm) response->add_capabilities(v1::CAPABILITY_TRANSPORT_SHM);
  if (options_.has_zmq) response->add_capabilities(v1::CAPABILITY_TRANSPORT_ZMQ_IPC);
  return grpc::Status::OK;
}

grpc::Status FakeService::CreateAvatar(grpc::ServerContext*,
                                       grpc::ServerReader<v1::CreateAvatarRequest>* reader,
                                       v1::CreateAvatarResponse* response) {
  v1::CreateAvatarRequest request;
  bool has_consent = false;
  while (reader->Read(&request)) {
    if (request.has_header()) has_consent = !request.header().consent().basis().empty();
    num_photo_bytes += request.photo_chunk().size();
  }
  if (!has_consent) {
    return answer(grpc::StatusCode::FAILED_PRECONDITION, "CONSENT_REQUIRED");
  }
  response->mutable_avatar()->set_avatar_id("avatar-1");
  response->mutable_avatar()->add_notes("two faces");
  return grpc::Status::OK;
}

grpc::Status FakeService::CreateSession(grpc::ServerContext*,
                                        const v1::CreateSessionRequest* request,
                                        v1::CreateSessionResponse* response) {
  ++num_created;
  v1::Session session;
  session.set_session_id(session_id());
  session.mutable_frame_rate()->set_num(100);
  session.mutable_frame_rate()->set_den(1);
  session.set_frame_encoding(request->frame_encoding());
  *session.mutable_transports() = request->transports();
  if (!options_.has_motion_only) {
    session.set_width_px(options_.told_size_px);
    session.set_height_px(options_.told_size_px);
    session.add_outputs(v1::OUTPUT_FRAMES);
  }
  session.add_outputs(v1::OUTPUT_MOTION);
  session.mutable_motion_schema()->set_schema_id(AVATAR_SCHEMA_ID);
  for (uint32_t i = 0; i < AVATAR_NUM_CHANNELS; ++i) {
    session.mutable_motion_schema()->add_channels()->set_name(avatar_channel_name(i));
  }
  for (const int transport : request->transports()) {
    if (transport == v1::TRANSPORT_SHM) {
      session.mutable_ring()->set_path(ring_->path());
      session.mutable_ring()->set_layout_id(AVATAR_RING_LAYOUT_ID);
      session.mutable_ring()->set_ring_id("0123456789abcdef");
    }
    if (transport == v1::TRANSPORT_ZMQ) {
      auto& endpoint = *session.add_zmq_endpoints();
      endpoint.set_output(v1::OUTPUT_FRAMES);
      endpoint.set_address("ipc://" + zmq_path_);
      endpoint.set_topic("t");
      std::fclose(std::fopen(zmq_path_.c_str(), "w"));  // there before it is bound
    }
  }
  const std::lock_guard lock(mutex_);
  session_ = session;
  *response->mutable_session() = session;
  return grpc::Status::OK;
}

grpc::Status FakeService::GetSession(grpc::ServerContext*, const v1::GetSessionRequest* request,
                                     v1::GetSessionResponse* response) {
  const std::lock_guard lock(mutex_);
  if (request->session_id() != session_id() || session_.session_id() != session_id()) {
    return answer(grpc::StatusCode::NOT_FOUND, "SESSION_NOT_FOUND");
  }
  *response->mutable_session() = session_;
  return grpc::Status::OK;
}

grpc::Status FakeService::CloseSession(grpc::ServerContext*, const v1::CloseSessionRequest*,
                                       v1::CloseSessionResponse*) {
  ++num_closed;
  return grpc::Status::OK;
}

void FakeService::take(Stream* stream, std::mutex* write_mutex,
                       const v1::AnimateRequest& request) {
  v1::AnimateResponse response;
  if (request.has_audio() && request.audio().role() == v1::AUDIO_ROLE_LISTEN) {
    num_listen_bytes += request.audio().data().size();
    return;
  }
  if (request.has_audio()) {
    num_audio_bytes += request.audio().data().size();
    if (is_speaking_.exchange(true)) return;
    response.mutable_segment_started()->set_segment_id("1");
    response.mutable_segment_started()->set_pts_nanos(now_nanos_);
    response.mutable_segment_started()->set_epoch(epoch_);
  } else if (request.has_segment_end()) {
    is_speaking_ = false;
    response.mutable_segment_ended()->set_segment_id("1");
  } else if (request.has_interrupt()) {
    is_speaking_ = false;
    response.mutable_interrupted()->set_epoch(++epoch_);
    response.mutable_interrupted()->set_valid_through_nanos(now_nanos_);
  } else if (request.has_control()) {
    ++num_changes;
    distance = request.control().controls().distance();
    if (request.control().controls().has_badge()) badge = request.control().controls().badge();
    if (request.control().controls().has_motion_model()) {
      is_moved_by_rules = request.control().controls().motion_model() == "rules";
    }
    response.mutable_control_applied()->set_change_id(request.control().change_id());
  } else {
    if (request.has_playback()) ++num_acks;
    return;
  }
  const std::lock_guard lock(*write_mutex);
  stream->Write(response);
}

void FakeService::send_frame(Stream* stream, std::mutex* write_mutex, const v1::OpenStream& open,
                             uint64_t seq, void* zmq_socket) {
  const int64_t pts_nanos = static_cast<int64_t>(seq) * kFrameNanos;
  const uint32_t epoch = epoch_;
  now_nanos_ = pts_nanos;
  const std::string pixels(size_t{kSizePx} * kSizePx * 4, static_cast<char>(seq));
  const std::string blob = blob_of(seq, pts_nanos, epoch);
  if (ring_ != nullptr) {
    const std::lock_guard lock(mutex_);  // an old stream may still run its last round
    ring_->publish(seq, pts_nanos, 1.0f, static_cast<uint8_t>(seq), epoch);
  }
  if (zmq_socket != nullptr && !options_.is_silent_on_zmq) {
    std::string header = wire_header("frame", static_cast<int64_t>(seq), epoch, pts_nanos, kSizePx,
                                     kSizePx);
    header.replace(header.size() - blob.size(), blob.size(), blob);
    zmq_send(zmq_socket, "t", 1, ZMQ_SNDMORE);
    zmq_send(zmq_socket, header.data(), header.size(), ZMQ_SNDMORE);
    zmq_send(zmq_socket, pixels.data(), pixels.size(), 0);
    if (seq % 10 == 0) {  // and rubbish now and then
      zmq_send(zmq_socket, "t", 1, ZMQ_SNDMORE);
      zmq_send(zmq_socket, "rubbish", 7, 0);
    }
  }
  bool is_jpeg = false;
  {
    const std::lock_guard lock(mutex_);
    is_jpeg = session_.frame_encoding() == v1::FRAME_ENCODING_JPEG;
  }
  v1::AnimateResponse response;
  for (const int output : open.inline_outputs().outputs()) {
    if (output == v1::OUTPUT_MOTION) response.mutable_motion()->set_blob(blob);
    if (output != v1::OUTPUT_FRAMES) continue;
    v1::Frame& frame = *response.mutable_frame();
    frame.set_pts_nanos(pts_nanos);
    frame.set_seq(seq);
    frame.set_epoch(epoch);
    frame.set_location(v1::FRAME_LOCATION_INLINE);
    frame.set_encoding(is_jpeg ? v1::FRAME_ENCODING_JPEG : v1::FRAME_ENCODING_RAW);
    frame.set_width_px(options_.told_size_px);
    frame.set_height_px(options_.told_size_px);
    frame.set_data(is_jpeg ? jpeg_of(pixels) : pixels);
    frame.mutable_motion()->set_blob(blob);
  }
  if (response.payload_case() == v1::AnimateResponse::PAYLOAD_NOT_SET) return;
  const std::lock_guard lock(*write_mutex);
  stream->Write(response);
}

grpc::Status FakeService::Animate(grpc::ServerContext* context, Stream* stream) {
  const int num_breaks = num_breaks_;
  v1::AnimateRequest request;
  if (!stream->Read(&request) || !request.has_open()) {
    return answer(grpc::StatusCode::INVALID_ARGUMENT, "INVALID_FIELD");
  }
  const v1::OpenStream open = request.open();
  if (open.session_id() != session_id()) {
    return answer(grpc::StatusCode::NOT_FOUND, "SESSION_NOT_FOUND");
  }
  if (has_ghost_.exchange(false)) {
    return answer(grpc::StatusCode::FAILED_PRECONDITION, AVATAR_REASON_SESSION_HAS_CONTROLLER);
  }
  if (num_unanswered_ > 0) {
    --num_unanswered_;
    has_ghost_ = true;
    while (!context->IsCancelled() && !is_killed_) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(kFrameNanos));
    }
    return grpc::Status::CANCELLED;
  }
  std::mutex write_mutex;
  v1::AnimateResponse response;
  {
    const std::lock_guard lock(mutex_);
    *response.mutable_opened()->mutable_session() = session_;
  }
  stream->Write(response);
  void* zmq_context = nullptr;
  void* zmq_socket = nullptr;
  if (options_.has_zmq) {
    zmq_context = zmq_ctx_new();
    zmq_socket = ::zmq_socket(zmq_context, ZMQ_PUB);
    const int linger = 0;
    zmq_setsockopt(zmq_socket, ZMQ_LINGER, &linger, sizeof linger);
    std::remove(zmq_path_.c_str());
    zmq_bind(zmq_socket, ("ipc://" + zmq_path_).c_str());
  }
  std::thread reader([&] {
    v1::AnimateRequest next;
    while (stream->Read(&next)) take(stream, &write_mutex, next);
  });
  while (!context->IsCancelled() && num_breaks_ == num_breaks && !is_killed_) {
    if (!is_paused_) send_frame(stream, &write_mutex, open, ++seq_, zmq_socket);
    if (tells_figures_ && open.statistics_interval_millis() != 0) {
      v1::AnimateResponse figures;
      figures.mutable_statistics();
      const std::lock_guard lock(write_mutex);
      stream->Write(figures);
    }
    std::this_thread::sleep_for(std::chrono::nanoseconds(kFrameNanos));
  }
  if (zmq_socket != nullptr) zmq_close(zmq_socket);
  if (zmq_context != nullptr) zmq_ctx_term(zmq_context);
  context->TryCancel();
  reader.join();
  return {grpc::StatusCode::UNAVAILABLE, "broken"};
}

}  // namespace avatar::test
