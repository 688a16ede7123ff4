#include "TalkingActor.h"

#include "AvatarComponent.h"

// README begins
ATalkingActor::ATalkingActor()
{
	Avatar = CreateDefaultSubobject<UAvatarComponent>(TEXT("Avatar"));
	Avatar->Target = TEXT("127.0.0.1:50551");
	Avatar->PhotoFile = TEXT("Faces/Anna.png"); // in Content
	Avatar->ConsentSubject = TEXT("Anna");
	Avatar->ConsentBasis = TEXT("her written consent");
	Avatar->LiveLinkSubject = TEXT("Anna"); // the MetaHuman's ARKit Face Subj
}

void ATalkingActor::BeginPlay()
{
	Super::BeginPlay(); // connects
	Avatar->Speak(Line); // heard, on Avatar->Frames->Texture and as curves, as soon as it is there
}
// README ends
