#pragma once

#include "CoreMinimal.h"
#include "GameFramework/Actor.h"

#include "TalkingActor.generated.h"

class UAvatarComponent;
class USoundWave;

/** Says one sound wave with a face of its own; copy it into a project and build on it. */
UCLASS()
class ATalkingActor : public AActor
{
	GENERATED_BODY()

public:
	ATalkingActor();

	/** What to say. */
	UPROPERTY(EditAnywhere, Category = "Avatar")
	TObjectPtr<USoundWave> Line;

	/** The face. */
	UPROPERTY(VisibleAnywhere, BlueprintReadOnly, Category = "Avatar")
	TObjectPtr<UAvatarComponent> Avatar;

	virtual void BeginPlay() override;
};
