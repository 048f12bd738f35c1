#include "ops/position_scores.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/cpu/kernels.h"

namespace st {

int64_t log_bucket(int64_t distance, int64_t buckets, int64_t max_distance) {
  const int64_t mid = buckets / 2, size = std::abs(distance);
  if (buckets <= 0 || size <= mid) return distance;
  const auto half = static_cast<float>(mid);
  const float longest = std::log(static_cast<float>(static_cast<double>(max_distance - 1) / static_cast<double>(mid)));
  const float steps = std::log(static_cast<float>(size) / half) / longest * static_cast<float>(mid - 1);
  const auto bucket = static_cast<int64_t>(std::ceil(steps)) + mid;
  return distance < 0 ? -bucket : bucket;
}

namespace {

// Heads that are worth a thread.
int64_t parts_of(int64_t heads, int64_t numbers) {
  constexpr int64_t kGrain = 1 << 15;
  return std::min(heads, parallel_parts(numbers, kGrain));
}

}  // namespace

template <typename A>
PositionTables<A> tables_of(const PositionScores& positions, int64_t heads, A factor, bool backward) {
  constexpr at::ScalarType kType = c10::CppTypeToScalarType<A>::value;
  constexpr int64_t kPanel = kernels::kPositionPanel;
  const at::Tensor q_RX = positions.pair.q_RX.to(kType), k_RX = positions.pair.k_RX.to(kType);
  const int64_t longest = positions.longest(), width = q_RX.size(1) / heads;
  PositionTables<A> out{.heads = heads,
                        .head_dim = width,
                        .padded_E = kernels::padded_head(width),
                        .reach = (longest + kPanel - 1) / kPanel * kPanel,
                        .k_HME = {},
                        .q_HME = {},
                        .q_HPED = {}};
  const int64_t E = out.padded_E, M = 2 * out.reach;
  out.k_HME.resize(out.size());
  out.q_HPED.resize(out.size());
  if (backward) out.q_HME.resize(out.size());
  parallel_ranges(heads, parts_of(heads, out.size()), [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t head = begin; head < end; ++head) {
      for (int64_t distance = 1 - longest; distance < longest; ++distance) {
        const int64_t place = positions.places[distance + longest - 1], m = out.reach + distance;
        const A* q = static_cast<const A*>(q_RX.data_ptr()) + place * q_RX.stride(0) + head * width;
        const A* k = static_cast<const A*>(k_RX.data_ptr()) + place * k_RX.stride(0) + head * width;
        std::copy_n(k, width, out.k_HME.data() + (head * M + m) * E);
        if (backward) std::copy_n(q, width, out.q_HME.data() + (head * M + m) * E);
        A* panel = out.q_HPED.data() + (head * M + m / kPanel * kPanel) * E + m % kPanel;
        for (int64_t e = 0; e < width; ++e) panel[e * kPanel] = factor * q[e];
      }
    }
  });
  return out;
}

template <typename A>
void add_to_places(const PositionScores& positions, const PositionTables<A>& tables, int64_t parts, const A* d_HME,
                   A factor, const at::Tensor& d_RX) {
  const int64_t longest = positions.longest(), width = tables.head_dim, E = tables.padded_E, M = 2 * tables.reach;
  const int64_t count = tables.size();
  parallel_ranges(tables.heads, parts_of(tables.heads, parts * count), [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t head = begin; head < end; ++head) {
      for (int64_t distance = 1 - longest; distance < longest; ++distance) {
        A* to =
            static_cast<A*>(d_RX.data_ptr()) + positions.places[distance + longest - 1] * d_RX.stride(0) + head * width;
        const A* from = d_HME + (head * M + tables.reach + distance) * E;
        for (int64_t e = 0; e < width; ++e) {
          A sum = 0;
          for (int64_t part = 0; part < parts; ++part) sum += from[part * count + e];
          to[e] += factor * sum;
        }
      }
    }
  });
}

template PositionTables<float> tables_of(const PositionScores&, int64_t, float, bool);
template PositionTables<double> tables_of(const PositionScores&, int64_t, double, bool);
template void add_to_places(const PositionScores&, const PositionTables<float>&, int64_t, const float*, float,
                            const at::Tensor&);
template void add_to_places(const PositionScores&, const PositionTables<double>&, int64_t, const double*, double,
                            const at::Tensor&);

void check_positions(const PositionScores& positions, int64_t width, at::ScalarType type, int64_t longest) {
  const int64_t places = static_cast<int64_t>(positions.places.size());
  check(places % 2 == 1 && positions.longest() >= longest, "ERR_INVALID_ARGUMENT",
        "Expected the places of all distances in rows of up to ", longest, " tokens but found ", places);
  const int64_t last = positions.places.back();
  for (const at::Tensor& x : {positions.pair.q_RX, positions.pair.k_RX}) {
    check(x.defined() && x.dim() == 2 && x.size(1) == width && x.scalar_type() == type &&
              (x.stride(1) == 1 || width == 1) && positions.places.front() >= 0 && x.size(0) > last,
          "ERR_INVALID_ARGUMENT", "Expected the queries and keys of at least ", last + 1, " positions, ", width,
          " wide and of ", c10::toString(type));
  }
}

}  // namespace st
