#include "convert.h"

#include <array>
#include <cmath>
#include <cstring>

#include "abi.h"
#include "nanos.h"

namespace avatar {

namespace {

constexpr uint32_t kGazeBits =
    AVATAR_CONTROL_GAZE_FREE | AVATAR_CONTROL_GAZE_DIRECTION | AVATAR_CONTROL_LOOK_AT;
constexpr uint32_t kAllBits = (AVATAR_CONTROL_MOTION_MODEL << 1) - 1;

constexpr std::array<const char*, AVATAR_NUM_EMOTIONS> kEmotions = {
#define AVATAR_ROW(name) #name,
    AVATAR_EMOTION_TABLE(AVATAR_ROW)
#undef AVATAR_ROW
};

constexpr uint64_t kMaxPhones = 10'000;
constexpr uint64_t kMaxSymbolBytes = 32;
constexpr uint32_t kSampleBytesS16 = 2;
constexpr uint32_t kSampleBytesF32 = 4;

uint32_t sample_bytes(v1::AudioFormat format) {
  return format == v1::AUDIO_FORMAT_F32LE ? kSampleBytesF32 : kSampleBytesS16;
}

Status set_gaze(const avatar_controls& controls, v1::Controls* message) {
  const uint32_t gaze = controls.mask & kGazeBits;
  if ((gaze & (gaze - 1)) != 0) {
    return fault(Reason::INVALID_FIELD, "gaze: one of free, direction and point at a time");
  }
  if (gaze == AVATAR_CONTROL_GAZE_FREE) message->mutable_free_gaze();
  if (gaze == AVATAR_CONTROL_GAZE_DIRECTION) {
    message->mutable_gaze_direction()->set_yaw_radians(controls.gaze[0]);
    message->mutable_gaze_direction()->set_pitch_radians(controls.gaze[1]);
  }
  if (gaze == AVATAR_CONTROL_LOOK_AT) {
    message->mutable_look_at()->set_x(controls.gaze[0]);
    message->mutable_look_at()->set_y(controls.gaze[1]);
    message->mutable_look_at()->set_z(controls.gaze[2]);
  }
  return {};
}

void set_background(const avatar_controls& controls, v1::Background* background) {
  background->set_mode(static_cast<v1::BackgroundMode>(controls.background));
  background->set_red(controls.background_rgb >> 16 & 0xff);
  background->set_green(controls.background_rgb >> 8 & 0xff);
  background->set_blue(controls.background_rgb & 0xff);
}

}  // namespace

Status to_message(const avatar_controls& controls, v1::Controls* message) {
  if ((controls.mask & ~kAllBits) != 0) {
    return fault(Reason::INVALID_FIELD, "controls: mask has bits that this library does not know");
  }
  const auto has = [&](uint32_t bit) { return (controls.mask & bit) != 0; };
  const Status status = set_gaze(controls, message);
  if (!status.ok()) return status;
  if (has(AVATAR_CONTROL_DISTANCE)) message->set_distance(controls.distance);
  if (has(AVATAR_CONTROL_EMOTION)) {
    auto& weights = *message->mutable_emotion()->mutable_weights();
    for (size_t i = 0; i < kEmotions.size(); ++i) {
      if (controls.emotion[i] != 0.0f) weights[kEmotions[i]] = controls.emotion[i];
    }
  }
  if (has(AVATAR_CONTROL_HEAD_MOTION)) message->set_head_motion(controls.head_motion);
  if (has(AVATAR_CONTROL_EXPRESSION)) message->set_expression(controls.expression);
  if (has(AVATAR_CONTROL_SPEAKING_STYLE)) {
    message->set_speaking_style(abi::take_text(controls.speaking_style));
  }
  if (has(AVATAR_CONTROL_BLINK_RATE)) message->set_blink_rate(controls.blink_rate);
  if (has(AVATAR_CONTROL_IDLE)) message->set_idle(controls.idle);
  if (has(AVATAR_CONTROL_BACKGROUND)) set_background(controls, message->mutable_background());
  if (has(AVATAR_CONTROL_SEED)) message->set_seed(controls.seed);
  if (has(AVATAR_CONTROL_BADGE)) {
    if (controls.badge > 1) return fault(Reason::INVALID_FIELD, "controls: badge is 0 or 1");
    message->set_badge(controls.badge == 1);
  }
  if (has(AVATAR_CONTROL_MOTION_MODEL)) {
    message->set_motion_model(abi::take_text(controls.motion_model));
  }
  return {};
}

Status to_message(const avatar_audio& audio, v1::AudioChunk* chunk) {
  if (audio.format != AVATAR_AUDIO_S16 && audio.format != AVATAR_AUDIO_F32) {
    return fault(Reason::INVALID_AUDIO, "audio: format is AVATAR_AUDIO_S16 or AVATAR_AUDIO_F32");
  }
  if (audio.sample_rate_hz < 8000 || audio.sample_rate_hz > 48000) {
    return fault(Reason::INVALID_AUDIO, "audio: sample_rate_hz is " +
                                            std::to_string(audio.sample_rate_hz) +
                                            "; 8000 to 48000 is allowed");
  }
  if (audio.channels != 1 && audio.channels != 2) {
    return fault(Reason::INVALID_AUDIO, "audio: 1 or 2 channels are allowed");
  }
  if (audio.role > AVATAR_ROLE_LISTEN) {
    return fault(Reason::INVALID_FIELD, "audio: role is AVATAR_ROLE_SPEAK or AVATAR_ROLE_LISTEN");
  }
  if (audio.samples == nullptr || audio.num_frames == 0) {
    return fault(Reason::INVALID_AUDIO, "audio: no samples");
  }
  const bool is_float = audio.format == AVATAR_AUDIO_F32;
  const uint64_t num_samples = audio.num_frames * audio.channels;
  if (is_float) {
    for (uint64_t i = 0; i < num_samples; ++i) {
      float value = 0.0f;
      std::memcpy(&value, static_cast<const char*>(audio.samples) + i * sizeof value, sizeof value);
      if (!std::isfinite(value)) return fault(Reason::INVALID_AUDIO, "audio: not finite");
    }
  }
  chunk->set_role(to_message_role(audio.role));
  chunk->set_format(is_float ? v1::AUDIO_FORMAT_F32LE : v1::AUDIO_FORMAT_PCM_S16LE);
  chunk->set_sample_rate_hz(audio.sample_rate_hz);
  chunk->set_channels(audio.channels);
  chunk->set_data(audio.samples, num_samples * sample_bytes(chunk->format()));
  return {};
}

Status to_message(const avatar_phones& phones, v1::KnownPhones* message) {
  if (phones.alphabet != AVATAR_PHONES_ARPABET && phones.alphabet != AVATAR_PHONES_IPA) {
    return fault(Reason::INVALID_FIELD, "phones: alphabet is AVATAR_PHONES_ARPABET or _IPA");
  }
  if (phones.phones == nullptr || phones.num_phones == 0 || phones.num_phones > kMaxPhones) {
    return fault(Reason::INVALID_FIELD, "phones: num_phones is " +
                                            std::to_string(phones.num_phones) +
                                            "; 1 to 10000 are allowed");
  }
  message->set_alphabet(phones.alphabet == AVATAR_PHONES_IPA ? v1::PHONE_ALPHABET_IPA
                                                             : v1::PHONE_ALPHABET_ARPABET);
  int64_t last_nanos = 0;
  for (uint64_t i = 0; i < phones.num_phones; ++i) {
    const avatar_phone& phone = phones.phones[i];
    if (phone.start_nanos < last_nanos || phone.end_nanos <= phone.start_nanos) {
      return fault(Reason::INVALID_FIELD, "phones: number " + std::to_string(i) +
                                              " is empty or overlaps the one before it");
    }
    if (phone.symbol.size > kMaxSymbolBytes) {
      return fault(Reason::INVALID_FIELD, "phones: the symbol of number " + std::to_string(i) +
                                              " is longer than 32 bytes");
    }
    last_nanos = phone.end_nanos;
    v1::Phone& known = *message->add_phones();
    known.set_symbol(abi::take_text(phone.symbol));
    known.set_start_nanos(phone.start_nanos);
    known.set_end_nanos(phone.end_nanos);
  }
  return {};
}

uint32_t to_role(v1::AudioRole role) {
  return role == v1::AUDIO_ROLE_LISTEN ? AVATAR_ROLE_LISTEN : AVATAR_ROLE_SPEAK;
}

v1::AudioRole to_message_role(uint32_t role) {
  return role == AVATAR_ROLE_LISTEN ? v1::AUDIO_ROLE_LISTEN : v1::AUDIO_ROLE_SPEAK;
}

Status check_schema(const v1::MotionSchema& schema) {
  bool fits = schema.schema_id() == AVATAR_SCHEMA_ID &&
              schema.channels_size() == AVATAR_NUM_CHANNELS;
  for (uint32_t i = 0; fits && i < AVATAR_NUM_CHANNELS; ++i) {
    fits = schema.channels(static_cast<int>(i)).name() == avatar_channel_name(i);
  }
  if (fits) return {};
  return fault(Reason::PROTOCOL_MISMATCH, "the service's motion schema is \"" +
                                              schema.schema_id() +
                                              "\"; this client knows " AVATAR_SCHEMA_ID);
}

uint32_t output_bits(const v1::Session& session) {
  uint32_t bits = 0;
  for (const int output : session.outputs()) {
    if (output == v1::OUTPUT_FRAMES) bits |= AVATAR_OUTPUT_FRAMES;
    if (output == v1::OUTPUT_MOTION) bits |= AVATAR_OUTPUT_MOTION;
    if (output == v1::OUTPUT_AUDIO) bits |= AVATAR_OUTPUT_AUDIO;
  }
  return bits;
}

uint32_t transport_bits(const v1::Session& session) {
  uint32_t bits = 0;
  for (const int transport : session.transports()) {
    if (transport == v1::TRANSPORT_SHM) bits |= AVATAR_TRANSPORT_SHM;
    if (transport == v1::TRANSPORT_ZMQ) bits |= AVATAR_TRANSPORT_ZMQ;
    if (transport == v1::TRANSPORT_GRPC) bits |= AVATAR_TRANSPORT_GRPC;
  }
  return bits;
}

bool is_speech(const v1::AnimateRequest& request) {
  return request.has_audio() || request.has_segment_end() || request.has_phones();
}

int64_t num_audio_nanos(const v1::AudioChunk& chunk) {
  const uint64_t frame_bytes = uint64_t{chunk.channels()} * sample_bytes(chunk.format());
  if (frame_bytes == 0 || chunk.sample_rate_hz() == 0) return 0;
  const uint64_t num_frames = chunk.data().size() / frame_bytes;
  return static_cast<int64_t>(num_frames * kNanosPerSec / chunk.sample_rate_hz());
}

}  // namespace avatar
