// Behavioural stand-ins for mathematical types and memory; a part of stub_core.h.
#pragma once

#include "stub_core.h"

struct FMath {
  template <typename T>
  static T Max(T a, T b) { return a < b ? b : a; }
  template <typename T>
  static T Min(T a, T b) { return b < a ? b : a; }
  template <typename T>
  static T Clamp(T x, T low, T high) { return std::clamp(x, low, high); }
  template <typename T>
  static T Abs(T x) { return x < T(0) ? -x : x; }
  template <typename T>
  static T RadiansToDegrees(T x) { return x * T(180.0 / 3.14159265358979323846); }
  template <typename T>
  static T DegreesToRadians(T x) { return x * T(3.14159265358979323846 / 180.0); }
  static int32 RoundToInt32(float x) { return static_cast<int32>(std::floor(x + 0.5f)); }
  static int64 RoundToInt64(double x) { return static_cast<int64>(std::floor(x + 0.5)); }
};
struct FMemory {
  static void* Memcpy(void* to, const void* from, SIZE_T size) { return std::memcpy(to, from, size); }
  static void Memzero(void* to, SIZE_T size) { std::memset(to, 0, size); }
};
struct FIntPoint {
  FIntPoint() = default;
  FIntPoint(int32 x, int32 y) : X(x), Y(y) {}
  bool operator==(const FIntPoint& o) const { return X == o.X && Y == o.Y; }
  int32 X, Y;
};
struct FVector {
  FVector() = default;
  FVector(double x, double y, double z) : X(x), Y(y), Z(z) {}
  FVector operator*(double s) const { return {X * s, Y * s, Z * s}; }
  FVector operator/(double s) const { return {X / s, Y / s, Z / s}; }
  double X, Y, Z;
  static const FVector ZeroVector;
};
inline const FVector FVector::ZeroVector{0, 0, 0};
struct FRotator {
  FRotator() = default;
  FRotator(double pitch, double yaw, double roll) : Pitch(pitch), Yaw(yaw), Roll(roll) {}
  double Pitch, Yaw, Roll;
  static const FRotator ZeroRotator;
};
inline const FRotator FRotator::ZeroRotator{0, 0, 0};
struct FColor {
  FColor() = default;
  FColor(uint8 r, uint8 g, uint8 b, uint8 a = 255) : B(b), G(g), R(r), A(a) {}
  uint8 B, G, R, A;
};
struct FGuid {
  uint32 A = 0;
  static FGuid NewGuid() {
    static std::atomic<uint32> last{0};
    return {++last};
  }
  bool operator==(const FGuid& other) const { return A == other.A; }
};
