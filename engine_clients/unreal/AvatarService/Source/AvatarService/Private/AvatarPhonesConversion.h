#pragma once

#include "AvatarTypes.h"
#include "Native/AvatarAbi.h"

namespace AvatarPhones
{
	/** The phones of a segment that begins FromSecs into the speech: those that were said before are left out. */
	AvatarAbi::Phones ToNative(const FAvatarPhones& Phones, double FromSecs);
}
