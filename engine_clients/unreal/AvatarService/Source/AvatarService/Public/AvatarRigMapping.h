#pragma once

#include "CoreMinimal.h"
#include "Engine/DataAsset.h"

#include "AvatarRigMapping.generated.h"

class USkeletalMesh;

/** One morph target that a coefficient drives. */
USTRUCT(BlueprintType)
struct AVATARSERVICE_API FAvatarCurveTarget
{
	GENERATED_BODY()

	/** Name of the morph target on the mesh. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar")
	FName MorphTarget;

	/** Weight at coefficient 1. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar", meta = (ClampMin = "-2", ClampMax = "2"))
	float Scale = 1.0f;

	/** Weight at coefficient 0. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar", meta = (ClampMin = "-1", ClampMax = "1"))
	float Offset = 0.0f;
};

/** Morph targets of one mesh with the coefficient behind each. */
struct AVATARSERVICE_API FAvatarRigBinding
{
	struct FEntry
	{
		int32 Expression;
		FName MorphTarget;
		float Scale;
		float Offset;
	};

	TArray<FEntry> Entries;

	/** Weight of an entry for a coefficient; both 0 to 1. */
	static float Weight(const FEntry& Entry, float Coefficient);
};

/**
 * Which morph targets the ARKit coefficients drive, without an animation graph. Morph targets with
 * ARKit names in any spelling (jawOpen, JawOpen, eyeBlink_L) are found by themselves.
 */
UCLASS(BlueprintType)
class AVATARSERVICE_API UAvatarRigMapping : public UDataAsset
{
	GENERATED_BODY()

public:
	/** Find morph targets by their ARKit names; entries in Curves win. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar")
	bool bMatchByName = true;

	/** ARKit name ("jawOpen") to the morph target it drives; a target named None leaves it out. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar")
	TMap<FName, FAvatarCurveTarget> Curves;

	/** Factor on all weights. */
	UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "Avatar", meta = (ClampMin = "0", ClampMax = "2"))
	float Strength = 1.0f;

	/** Coefficients that drive nothing on this mesh, and names in Curves that fit neither side. */
	UFUNCTION(BlueprintCallable, Category = "Avatar")
	TArray<FString> FindMismatches(const USkeletalMesh* Mesh) const;

	/** What to drive on a mesh; OutMismatches as of Find Mismatches. */
	FAvatarRigBinding Bind(const TArray<FName>& MorphTargets, TArray<FString>& OutMismatches) const;

	static TArray<FName> MorphTargetsOf(const USkeletalMesh* Mesh);
};
