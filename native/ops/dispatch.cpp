#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "ops/cpu/code_scores.h"
#include "ops/cpu/kernels.h"
#include "ops/cpu/pair_sums.h"
#include "ops/cpu/products.h"
#include "ops/cpu/tile_attention.h"
#include "ops/cpu/words.h"
#ifdef ST_HAVE_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace st::kernels {

#define ST_DECLARE(arch)                        \
  extern const Table<float> float_##arch;       \
  extern const Table<double> double_##arch;     \
  extern const Table<Bf16> bf16_##arch;         \
  extern const Products<float> products_##arch; \
  extern const PairSums pair_sums_##arch;       \
  extern const CodeScores code_scores_##arch;   \
  extern const Words words_##arch;
ST_DECLARE(portable)
#ifdef ST_HAVE_X86_KERNELS
ST_DECLARE(avx2)
ST_DECLARE(avx512)
#endif
#ifdef ST_HAVE_AMX
extern const Products<Bf16> products_amx;
extern const Products<float> products_amx_float;
extern const TileAttention attention_amx;
#endif
#ifdef ST_HAVE_BF16
extern const Products<Bf16> products_bf16;
#endif
#ifdef ST_HAVE_VNNI
extern const Int8Products int8_products_vnni;
#endif

namespace {

enum class Path { kPortable, kAvx2, kAvx512, kAmx };

#ifdef ST_HAVE_AMX
// Whether the processor has tiles of bfloat16 and int8, and the operating system lets this process use them.
bool may_use_amx() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // arch_prctl: ARCH_REQ_XCOMP_PERM
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kBf16 = 1u << 22, kTiles = 1u << 24, kInt8 = 1u << 25;
  if ((d & kBf16) == 0 || (d & kTiles) == 0 || (d & kInt8) == 0) return false;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

Path best() {
#ifdef ST_HAVE_X86_KERNELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
#ifdef ST_HAVE_AMX
    if (may_use_amx()) return Path::kAmx;
#endif
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
  } else if (std::strcmp(wish, "amx") == 0) {
    path = Path::kAmx;
  } else {
    fail("ERR_INVALID_ARGUMENT", "Expected portable, avx2, avx512 or amx for SENTENCE_TORCH_CPU but found ", wish);
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
      case Path::kAmx:               \
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

const PairSums& pair_sums() {
#ifdef ST_HAVE_X86_KERNELS
  if (path() >= Path::kAvx512) return pair_sums_avx512;
  if (path() == Path::kAvx2) return pair_sums_avx2;
#else
  (void)path();
#endif
  return pair_sums_portable;
}

const CodeScores& code_scores() {
#ifdef ST_HAVE_X86_KERNELS
  if (path() >= Path::kAvx512) return code_scores_avx512;
  if (path() == Path::kAvx2) return code_scores_avx2;
#endif
  return code_scores_portable;
}

const Words& words() {
#ifdef ST_HAVE_X86_KERNELS
  if (path() >= Path::kAvx512) return words_avx512;
  if (path() == Path::kAvx2) return words_avx2;
#endif
  return words_portable;
}

template <>
const Products<float>* products<float>() {
#ifdef ST_HAVE_X86_KERNELS
  if (path() >= Path::kAvx512) return &products_avx512;
  if (path() == Path::kAvx2) return &products_avx2;
#endif
  return nullptr;
}

const Products<float>* split_products() {
#ifdef ST_HAVE_AMX
  if (path() == Path::kAmx) return &products_amx_float;
#endif
  return nullptr;
}

template <>
const Products<Bf16>* products<Bf16>() {
#ifdef ST_HAVE_AMX
  if (path() == Path::kAmx) return &products_amx;
#endif
  return nullptr;
}

const TileAttention* tile_attention() {
#ifdef ST_HAVE_AMX
  if (path() == Path::kAmx) return &attention_amx;
#endif
  return nullptr;
}

const Products<Bf16>* pair_products() {
#ifdef ST_HAVE_BF16
  if (path() >= Path::kAvx512 && __builtin_cpu_supports("avx512bf16")) return &products_bf16;
#endif
  return nullptr;
}

template <>
const Products<double>* products<double>() {
  return nullptr;
}

const Int8Products* int8_products() {
#ifdef ST_HAVE_VNNI
  if (path() >= Path::kAvx512 && __builtin_cpu_supports("avx512vnni")) return &int8_products_vnni;
#endif
  return nullptr;
}

const char* chosen() {
  static constexpr const char* kNames[] = {"portable", "avx2", "avx512", "amx"};
  return kNames[static_cast<int>(path())];
}

}  // namespace st::kernels
