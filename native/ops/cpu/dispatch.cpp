#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "ops/cpu/kernels.h"

namespace st::kernels {

#define ST_DECLARE(arch)                    \
  extern const Table<float> float_##arch;   \
  extern const Table<double> double_##arch; \
  extern const Table<Bf16> bf16_##arch;
ST_DECLARE(portable)
#ifdef ST_HAVE_X86_KERNELS
ST_DECLARE(avx2)
ST_DECLARE(avx512)
#endif

namespace {

enum class Path { kPortable, kAvx2, kAvx512 };

Path best() {
#ifdef ST_HAVE_X86_KERNELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return Path::kAvx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Path::kAvx2;
#endif
  return Path::kPortable;
}

Path choose() {
  const Path most = best();
  const char* wish = std::getenv("SENTENCE_TORCH_CPU");
  if (wish == nullptr || *wish == 0) return most;
  Path path;
  if (std::strcmp(wish, "portable") == 0) {
    path = Path::kPortable;
  } else if (std::strcmp(wish, "avx2") == 0) {
    path = Path::kAvx2;
  } else if (std::strcmp(wish, "avx512") == 0) {
    path = Path::kAvx512;
  } else {
    fail("ERR_INVALID_ARGUMENT", "Expected portable, avx2 or avx512 for SENTENCE_TORCH_CPU but found ", wish);
  }
  check(path <= most, "ERR_UNSUPPORTED", "SENTENCE_TORCH_CPU asks for ", wish, ", which this processor lacks");
  return path;
}

Path path() {
  static const Path chosen = choose();
  return chosen;
}

}  // namespace

#ifdef ST_HAVE_X86_KERNELS
#define ST_TABLE(type, name)         \
  template <>                        \
  const Table<type>& table<type>() { \
    switch (path()) {                \
      case Path::kAvx512:            \
        return name##_avx512;        \
      case Path::kAvx2:              \
        return name##_avx2;          \
      default:                       \
        return name##_portable;      \
    }                                \
  }
#else
#define ST_TABLE(type, name)         \
  template <>                        \
  const Table<type>& table<type>() { \
    (void)path();                    \
    return name##_portable;          \
  }
#endif
ST_TABLE(float, float)
ST_TABLE(double, double)
ST_TABLE(Bf16, bf16)

const char* chosen() {
  static constexpr const char* kNames[] = {"portable", "avx2", "avx512"};
  return kNames[static_cast<int>(path())];
}

}  // namespace st::kernels
