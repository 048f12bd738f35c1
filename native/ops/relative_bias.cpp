#include "ops/relative_bias.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace st {

int64_t relative_bucket(int64_t distance, int64_t buckets, int64_t max_distance, bool both_ways) {
  int64_t first = 0, n = std::max<int64_t>(-distance, 0);
  if (both_ways) {
    buckets /= 2;
    if (distance > 0) first = buckets;
    n = std::abs(distance);
  }
  const int64_t exact = buckets / 2;  // distances with a bucket of their own
  if (n < exact) return first + n;
  // In float32, like transformers: where a bucket begins depends on the rounding.
  const float share = std::log(static_cast<float>(n) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
  const int64_t large = exact + static_cast<int64_t>(share * static_cast<float>(buckets - exact));
  return first + std::min(large, buckets - 1);
}

std::vector<int64_t> buckets_of(const RelativeBias& bias, const Diagonals& diagonals) {
  std::vector<int64_t> out(diagonals.count());
  for (int64_t i = 0; i < diagonals.count(); ++i) {
    out[i] = relative_bucket(diagonals.back - i, bias.table_BH.size(0), bias.max_distance, bias.both_ways);
  }
  return out;
}

template <typename A>
std::vector<A> expanded_bias(const RelativeBias& bias, const std::vector<int64_t>& buckets, int64_t stride, A factor) {
  constexpr at::ScalarType kType = c10::CppTypeToScalarType<A>::value;
  const int64_t heads = bias.table_BH.size(1);
  const at::Tensor table_BH = bias.table_BH.scalar_type() == kType ? bias.table_BH : bias.table_BH.to(kType);
  const A* table = static_cast<const A*>(table_BH.data_ptr());
  std::vector<A> out_HR(heads * stride);
  for (int64_t head = 0; head < heads; ++head) {
    A* to = out_HR.data() + head * stride;
    for (size_t i = 0; i < buckets.size(); ++i) to[i] = factor * table[buckets[i] * heads + head];
  }
  return out_HR;
}

template <typename A>
void add_to_buckets(const RelativeBias& bias, const std::vector<int64_t>& buckets, const std::vector<double>& sums_HR,
                    A* d_table_BH) {
  const int64_t heads = bias.table_BH.size(1), columns = static_cast<int64_t>(buckets.size());
  std::vector<double> sums_BH(bias.table_BH.numel());
  for (int64_t i = 0; i < columns; ++i) {
    for (int64_t head = 0; head < heads; ++head) sums_BH[buckets[i] * heads + head] += sums_HR[head * columns + i];
  }
  for (size_t i = 0; i < sums_BH.size(); ++i) d_table_BH[i] += static_cast<A>(sums_BH[i]);
}

template std::vector<float> expanded_bias(const RelativeBias&, const std::vector<int64_t>&, int64_t, float);
template std::vector<double> expanded_bias(const RelativeBias&, const std::vector<int64_t>&, int64_t, double);
template void add_to_buckets(const RelativeBias&, const std::vector<int64_t>&, const std::vector<double>&, float*);
template void add_to_buckets(const RelativeBias&, const std::vector<int64_t>&, const std::vector<double>&, double*);

void check_bias(const RelativeBias& bias, int64_t heads) {
  const at::Tensor& table = bias.table_BH;
  check(table.defined() && table.dim() == 2 && table.size(1) == heads && table.is_contiguous(), "ERR_INVALID_ARGUMENT",
        "Expected a relative bias of [buckets, ", heads, " heads]");
  const int64_t buckets = table.size(0), exact = buckets / (bias.both_ways ? 4 : 2);
  check(exact > 0 && bias.max_distance > exact, "ERR_INVALID_ARGUMENT", "Expected at least ", bias.both_ways ? 4 : 2,
        " buckets of relative positions and a largest distance above ", exact, " but found ", buckets, " and ",
        bias.max_distance);
}

}  // namespace st
