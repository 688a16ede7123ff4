// avatar_client_*: one service.
#include "abi_rpc.h"

namespace {

using avatar::fault;
using avatar::Reason;
using avatar::RpcClient;
using avatar::Status;
namespace abi = avatar::abi;
namespace v1 = avatar::v1;

// One notes line per row.
std::string join(const google::protobuf::RepeatedPtrField<std::string>& parts, char separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

v1::AvatarHeader to_header(const avatar_photo& photo) {
  v1::AvatarHeader header;
  header.mutable_consent()->set_subject(abi::take_text(photo.consent_subject));
  header.mutable_consent()->set_basis(abi::take_text(photo.consent_basis));
  header.mutable_consent()->set_stated_by(abi::take_text(photo.consent_stated_by));
  header.set_display_name(abi::take_text(photo.display_name));
  header.set_crop(static_cast<v1::CropPolicy>(photo.crop));
  header.set_photo_bytes(photo.file.size);
  return header;
}

}  // namespace

avatar_status avatar_client_options_init(avatar_client_options* options, uint32_t struct_size) {
  return abi::guard(nullptr, [&] {
    avatar_client_options defaults{};
    defaults.backoff_min_millis = 250;
    defaults.backoff_max_millis = 8000;
    defaults.keepalive_millis = 10'000;
    return abi::init_struct(options, struct_size, defaults);
  });
}

avatar_status avatar_client_create(const avatar_client_options* options, avatar_client** client,
                                   avatar_error* error) {
  return abi::guard(error, [&] {
    if (client == nullptr) return abi::null_argument("client");
    *client = nullptr;
    avatar_client_options given{};
    avatar_client_options_init(&given, sizeof given);
    Status status = abi::read_struct(options, &given, "options");
    if (!status.ok()) return status;
    avatar::ClientConfig config;
    config.target = abi::take_text(given.target);
    config.token = abi::take_text(given.token);
    config.client_name = abi::take_text(given.client_name);
    config.tls = given.tls;
    config.ca_pem = abi::take_text(given.ca_pem);
    config.client_cert_pem = abi::take_text(given.client_cert_pem);
    config.client_key_pem = abi::take_text(given.client_key_pem);
    config.tls_server_name = abi::take_text(given.tls_server_name);
    config.backoff_min_millis = given.backoff_min_millis;
    config.backoff_max_millis = given.backoff_max_millis;
    config.keepalive_millis = given.keepalive_millis;
    std::shared_ptr<RpcClient> made;
    status = RpcClient::create(std::move(config), &made);
    if (status.ok()) *client = abi::Clients::get().add(std::move(made));
    return status;
  });
}

avatar_status avatar_client_get_server_info(avatar_client* client, uint32_t timeout_millis,
                                            avatar_server_info* info, avatar_error* error) {
  return abi::guard(error, [&] {
    std::shared_ptr<RpcClient> rpc;
    Status status = abi::Clients::get().find(client, &rpc);
    if (!status.ok()) return status;
    v1::GetServerInfoResponse response;
    status = rpc->get_server_info(std::chrono::milliseconds(timeout_millis), &response);
    if (!status.ok()) return status;
    avatar_server_info record{};
    record.num_sessions = response.num_sessions();
    for (const int capability : response.capabilities()) {
      if (capability > 0 && capability < 64) record.capabilities |= uint64_t{1} << capability;
    }
    record.max_photo_bytes = response.limits().max_photo_bytes();
    record.max_audio_ahead_millis = response.limits().max_audio_ahead_millis();
    record.max_frame_rate_hz = response.limits().max_frame_rate_hz();
    abi::put_text(record.api_version, response.api_version());
    abi::put_text(record.product_version, response.product_version());
    abi::put_text(record.device, response.device());
    abi::put_text(record.speaking_styles, join(response.speaking_styles(), ','));
    abi::put_text(record.motion_models, join(response.motion_models(), ','));
    return abi::write_struct(info, record, "info");
  });
}

avatar_status avatar_client_create_avatar(avatar_client* client, const avatar_photo* photo,
                                          uint32_t timeout_millis, avatar_info* info,
                                          avatar_error* error) {
  return abi::guard(error, [&] {
    std::shared_ptr<RpcClient> rpc;
    Status status = abi::Clients::get().find(client, &rpc);
    avatar_photo given{};
    if (status.ok()) status = abi::read_struct(photo, &given, "photo");
    if (!status.ok()) return status;
    if (given.file.data == nullptr || given.file.size == 0) {
      return fault(Reason::INVALID_IMAGE, "photo: the file is empty");
    }
    v1::Avatar made;
    status = rpc->create_avatar(to_header(given), given.file,
                                std::chrono::milliseconds(timeout_millis), &made);
    if (!status.ok()) return status;
    avatar_info record{};
    record.photo_width_px = made.photo_width_px();
    record.photo_height_px = made.photo_height_px();
    abi::put_text(record.avatar_id, made.avatar_id());
    abi::put_text(record.notes, join(made.notes(), '\n'));
    return abi::write_struct(info, record, "info");
  });
}

avatar_status avatar_client_delete_avatar(avatar_client* client, avatar_string avatar_id,
                                          uint32_t end_sessions, uint32_t timeout_millis,
                                          avatar_error* error) {
  return abi::guard(error, [&] {
    std::shared_ptr<RpcClient> rpc;
    const Status status = abi::Clients::get().find(client, &rpc);
    if (!status.ok()) return status;
    return rpc->delete_avatar(abi::take_text(avatar_id), end_sessions != 0,
                              std::chrono::milliseconds(timeout_millis));
  });
}

avatar_status avatar_client_close(avatar_client* client) {
  return abi::guard(nullptr, [&] {
    std::shared_ptr<RpcClient> rpc;
    const Status status = abi::Clients::get().take(client, &rpc);
    if (rpc != nullptr) rpc->close();
    return status;
  });
}
