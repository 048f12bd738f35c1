// Compiled once per instruction set with -DST_CPU_ARCH=portable|avx2|avx512 and the matching compiler flags.
#include "ops/cpu/kernels.h"

#include <type_traits>
#include <utility>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "ops/cpu/products.h"

#define ST_CONCAT(a, b) a##b
#define ST_NAME(prefix, arch) ST_CONCAT(prefix, arch)

namespace st::kernels {
namespace ST_CPU_ARCH {

#include "ops/cpu/activation.inl"
#include "ops/cpu/adamw.inl"
#include "ops/cpu/attention.inl"
#include "ops/cpu/dropout.inl"
#include "ops/cpu/few_rows.inl"
#include "ops/cpu/gate.inl"
#include "ops/cpu/norm.inl"
#include "ops/cpu/pooling.inl"
#include "ops/cpu/product.inl"
#include "ops/cpu/rotary.inl"
#include "ops/cpu/rotary_norm.inl"

template <typename S>
constexpr Table<S> make_table() {
  return {.residual_norm = residual_norm<S>,
          .residual_norm_backward = residual_norm_backward<S>,
          .branch_norm = branch_norm<S>,
          .embedding_norm = embedding_norm<S>,
          .embedding_norm_backward = embedding_norm_backward<S>,
          .embedding_tables_backward = embedding_tables_backward<arithmetic_t<S>>,
          .activate = activate<S>,
          .activate_backward = activate_backward<S>,
          .gate = gate<S>,
          .gate_backward = gate_backward<S>,
          .drop = drop<S>,
          .rotate = rotate<S>,
          .rotate_back = rotate_back<S>,
          .head_norm = head_norm<S>,
          .head_norm_backward = head_norm_backward<S>,
          .weighted_sum = weighted_sum<arithmetic_t<S>>,
          .row_means = row_means<arithmetic_t<S>>,
          .weighted_sum_backward = weighted_sum_backward<arithmetic_t<S>>,
          .highest = highest<arithmetic_t<S>>,
          .normalize = normalize<arithmetic_t<S>>,
          .widen = widen<S>,
          .attention_scratch = attention_scratch<S>,
          .attention = attention<S>,
          .attention_backward = attention_backward<S>,
          .adamw = adamw<S>,
          .adamw_replay = adamw_replay<S>,
          .squared_norm = squared_norm<arithmetic_t<S>>,
          .store_rows = store_rows<S>};
}

constexpr Products<float> kProducts = {.block_rows = 96,
                                       .panel = kPanel,
                                       .panel_size = panel_size,
                                       .pack_panel = pack_panel,
                                       .multiply = multiply,
                                       .multiply_few = multiply_few,
                                       .multiply_add = multiply_add,
                                       .depth_step = 1,
                                       .strip = kRows,
                                       .transposed_scratch = transposed_scratch,
                                       .add_transposed = add_transposed};

}  // namespace ST_CPU_ARCH

extern const Products<float> ST_NAME(products_, ST_CPU_ARCH);
const Products<float> ST_NAME(products_, ST_CPU_ARCH) = ST_CPU_ARCH::kProducts;
extern const Table<float> ST_NAME(float_, ST_CPU_ARCH);
extern const Table<double> ST_NAME(double_, ST_CPU_ARCH);
extern const Table<Bf16> ST_NAME(bf16_, ST_CPU_ARCH);
const Table<float> ST_NAME(float_, ST_CPU_ARCH) = ST_CPU_ARCH::make_table<float>();
const Table<double> ST_NAME(double_, ST_CPU_ARCH) = ST_CPU_ARCH::make_table<double>();
const Table<Bf16> ST_NAME(bf16_, ST_CPU_ARCH) = ST_CPU_ARCH::make_table<Bf16>();

}  // namespace st::kernels
