#pragma once

#include "AvatarTypes.h"
#include "Native/AvatarAbi.h"

namespace AvatarControls
{
	/** All controls in the service's units and axes; INVALID_ARGUMENT where an emotion has no such name. */
	AvatarAbi::Fault ToNative(const FAvatarControls& Controls, AvatarAbi::Controls& OutNative);
}
