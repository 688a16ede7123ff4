#include "AvatarPhonesConversion.h"

namespace
{
	int64 ToNanos(double Secs)
	{
		return FMath::RoundToInt64(Secs * 1e9);
	}
}

AvatarAbi::Phones AvatarPhones::ToNative(const FAvatarPhones& Phones, double FromSecs)
{
	AvatarAbi::Phones Result;
	Result.Alphabet = Phones.Alphabet == EAvatarPhoneAlphabet::Ipa ? AVATAR_PHONES_IPA : AVATAR_PHONES_ARPABET;
	for (const FAvatarPhone& Phone : Phones.Phones)
	{
		// What makes no sense goes on to the library, which says so.
		const bool bIsSaid = Phone.EndSecs <= FromSecs && Phone.EndSecs > Phone.StartSecs;
		if (!bIsSaid)
		{
			Result.List.push_back({std::string(TCHAR_TO_UTF8(*Phone.Symbol)), ToNanos(FMath::Max(0.0, Phone.StartSecs - FromSecs)),
				ToNanos(Phone.EndSecs - FromSecs)});
		}
	}
	return Result;
}
