#include "AvatarRigMapping.h"

#include "Animation/MorphTarget.h"
#include "AvatarCurves.h"
#include "Engine/SkeletalMesh.h"

float FAvatarRigBinding::Weight(const FEntry& Entry, float Coefficient)
{
	return FMath::Clamp(Entry.Offset + Entry.Scale * FMath::Clamp(Coefficient, 0.0f, 1.0f), 0.0f, 1.0f);
}

TArray<FString> UAvatarRigMapping::FindMismatches(const USkeletalMesh* Mesh) const
{
	TArray<FString> Mismatches;
	if (Mesh == nullptr)
	{
		Mismatches.Add(TEXT("there is no mesh"));
		return Mismatches;
	}
	Bind(MorphTargetsOf(Mesh), Mismatches);
	return Mismatches;
}

FAvatarRigBinding UAvatarRigMapping::Bind(const TArray<FName>& MorphTargets, TArray<FString>& OutMismatches) const
{
	FAvatarRigBinding Binding;
	TArray<bool> bIsDecided;
	bIsDecided.SetNumZeroed(AVATAR_NUM_EXPRESSIONS);
	for (const TPair<FName, FAvatarCurveTarget>& Curve : Curves)
	{
		const int32 Index = AvatarCurves::FindExpression(Curve.Key.ToString());
		const FName Target = Curve.Value.MorphTarget;
		if (Index == INDEX_NONE)
		{
			OutMismatches.Add(FString::Printf(TEXT("%s is no ARKit coefficient"), *Curve.Key.ToString()));
			continue;
		}
		bIsDecided[Index] = true;
		if (Target.IsNone())
		{
			continue;
		}
		if (!MorphTargets.Contains(Target))
		{
			OutMismatches.Add(FString::Printf(TEXT("the mesh has no morph target %s"), *Target.ToString()));
			continue;
		}
		Binding.Entries.Add({Index, Target, Strength * Curve.Value.Scale, Strength * Curve.Value.Offset});
	}
	if (bMatchByName)
	{
		for (const FName& Target : MorphTargets)
		{
			const int32 Index = AvatarCurves::FindExpression(Target.ToString());
			if (Index != INDEX_NONE && !bIsDecided[Index])
			{
				bIsDecided[Index] = true;
				Binding.Entries.Add({Index, Target, Strength, 0.0f});
			}
		}
	}
	for (int32 Index = 0; Index < AVATAR_NUM_EXPRESSIONS; ++Index)
	{
		if (!bIsDecided[Index])
		{
			OutMismatches.Add(FString::Printf(TEXT("%s drives nothing"), *AvatarCurves::ArkitName(Index).ToString()));
		}
	}
	return Binding;
}

TArray<FName> UAvatarRigMapping::MorphTargetsOf(const USkeletalMesh* Mesh)
{
	TArray<FName> Names;
	for (const UMorphTarget* Target : Mesh->GetMorphTargets())
	{
		Names.Add(Target->GetFName());
	}
	return Names;
}
