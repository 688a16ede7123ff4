// Between the C interface and the messages of avatar.v1.
#pragma once

#include <string>

#include "avatar/v1/avatar_service.pb.h"
#include "avatar_client.h"
#include "status.h"

namespace avatar {

// INVALID_FIELD for bits that contradict each other; ranges are the service's to check.
Status to_message(const avatar_controls& controls, v1::Controls* message);
// INVALID_AUDIO: format, rate, channels, or values that are not finite. Fills all but segment_id.
Status to_message(const avatar_audio& audio, v1::AudioChunk* chunk);
// INVALID_FIELD: alphabet, number, times.
Status to_message(const avatar_phones& phones, v1::KnownPhones* message);
uint32_t to_role(v1::AudioRole role);
v1::AudioRole to_message_role(uint32_t role);
// The schema's channels must be those that this client was built with, by name and place.
Status check_schema(const v1::MotionSchema& schema);
// Bits of AVATAR_OUTPUT_* and AVATAR_TRANSPORT_*.
uint32_t output_bits(const v1::Session& session);
uint32_t transport_bits(const v1::Session& session);
// Whether a message is part of what is said: these keep their order, and a barge-in drops them.
bool is_speech(const v1::AnimateRequest& request);
int64_t num_audio_nanos(const v1::AudioChunk& chunk);

}  // namespace avatar
