#include "ops/token_pooling.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/parallel.h"
#include "core/upload.h"
#include "ops/pooling.h"

namespace st {

namespace {

// Two clusters that become one. Numbers below n are items, others n + the number of a merge.
struct Merge {
  int64_t left, right;
  double distance;
};

// The distances between n items, above the diagonal.
class Distances {
 public:
  Distances(const float* from, int64_t n) : n_(n) {
    values_.reserve(n * (n - 1) / 2);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = i + 1; j < n; ++j) values_.push_back(from[i * n + j]);
    }
  }
  double& at(int64_t i, int64_t j) {
    if (i > j) std::swap(i, j);
    return values_[n_ * i - i * (i + 1) / 2 + (j - i - 1)];
  }

 private:
  int64_t n_;
  std::vector<double> values_;
};

// The merges of Ward's linkage by chains of nearest neighbours (Müllner 2011), in scipy's order of operations: what
// ties and rounding decide is decided as there.
std::vector<Merge> merges_of(const float* from, int64_t n) {
  Distances distances(from, n);
  std::vector<int64_t> size(n, 1), chain;
  std::vector<Merge> merges;
  while (static_cast<int64_t>(merges.size()) < n - 1) {
    if (chain.empty())
      chain.push_back(std::find_if(size.begin(), size.end(), [](auto s) { return s > 0; }) - size.begin());
    int64_t x = 0, y = 0;
    double least = 0;
    for (;;) {
      x = chain.back();
      const bool has_last = chain.size() > 1;
      const int64_t last = has_last ? chain[chain.size() - 2] : -1;
      y = last;
      least = has_last ? distances.at(x, last) : std::numeric_limits<double>::infinity();
      for (int64_t i = 0; i < n; ++i) {
        if (size[i] == 0 || i == x || !(distances.at(x, i) < least)) continue;
        least = distances.at(x, i);
        y = i;
      }
      if (has_last && y == last) break;
      // Only distances that are not finite leave nobody.
      check(y >= 0, "ERR_INVALID_DATA", "Expected finite token embeddings for pooling but found NaN or an infinity");
      chain.push_back(y);
    }
    chain.resize(chain.size() - 2);
    if (x > y) std::swap(x, y);
    const auto nx = static_cast<double>(size[x]), ny = static_cast<double>(size[y]);
    merges.push_back({x, y, least});
    size[y] += size[x];
    size[x] = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (size[i] == 0 || i == y) continue;
      const auto ni = static_cast<double>(size[i]);
      const double dx = distances.at(i, x), dy = distances.at(i, y), t = 1 / (nx + ny + ni);
      distances.at(i, y) = std::sqrt((ni + nx) * t * dx * dx + (ni + ny) * t * dy * dy - ni * t * least * least);
    }
  }
  std::stable_sort(merges.begin(), merges.end(),
                   [](const Merge& a, const Merge& b) { return a.distance < b.distance; });
  return merges;
}

// Numbers the clusters that merges join.
void number_clusters(std::vector<Merge>& merges, int64_t n) {
  std::vector<int64_t> parent(2 * n - 1);
  std::iota(parent.begin(), parent.end(), 0);
  const auto root = [&](int64_t x) {
    while (parent[x] != x) x = parent[x] = parent[parent[x]];
    return x;
  };
  for (size_t k = 0; k < merges.size(); ++k) {
    const int64_t a = root(merges[k].left), b = root(merges[k].right);
    merges[k].left = std::min(a, b);
    merges[k].right = std::max(a, b);
    parent[a] = parent[b] = n + static_cast<int64_t>(k);
  }
}

// The largest distance within each merge.
std::vector<double> heights_of(const std::vector<Merge>& merges, int64_t n) {
  std::vector<double> out;
  for (const Merge& merge : merges) {
    double height = merge.distance;
    for (const int64_t child : {merge.left, merge.right}) {
      if (child >= n) height = std::max(height, out[child - n]);
    }
    out.push_back(height);
  }
  return out;
}

// The largest number of clusters up to `most` that a height cuts the tree into, by that height.
double cut_of(const std::vector<Merge>& merges, const std::vector<double>& heights, int64_t n, int64_t most) {
  const auto clusters_at = [&](double height) {
    int64_t count = 0;
    std::vector<int64_t> open = {2 * n - 2};
    while (!open.empty()) {
      const int64_t node = open.back();
      open.pop_back();
      if (node < n || heights[node - n] <= height) {
        ++count;
        continue;
      }
      open.push_back(merges[node - n].left);
      open.push_back(merges[node - n].right);
    }
    return count;
  };
  int64_t lower = 0, upper = n - 1;
  while (upper - lower > 1) {
    const int64_t middle = (lower + upper) / 2;
    (clusters_at(heights[middle]) > most ? lower : upper) = middle;
  }
  return heights[std::min<int64_t>(upper, n - 2)];
}

}  // namespace

std::vector<int32_t> ward_clusters(const float* distances, int64_t n, int64_t most) {
  if (n < 2) return std::vector<int32_t>(n, 0);
  std::vector<Merge> merges = merges_of(distances, n);
  number_clusters(merges, n);
  const std::vector<double> heights = heights_of(merges, n);
  const double cut = cut_of(merges, heights, n, most);
  // As scipy walks the tree: inner children first, then leaves, left before right.
  std::vector<int32_t> out(n);
  std::vector<bool> seen(n - 1);
  int32_t count = 0;
  int64_t leader = -1;
  std::vector<int64_t> path = {n - 2};
  while (!path.empty()) {
    const int64_t node = path.back();
    seen[node] = true;
    if (leader < 0 && heights[node] <= cut) {
      leader = node;
      ++count;
    }
    const int64_t children[] = {merges[node].left, merges[node].right};
    const auto* next = std::find_if(std::begin(children), std::end(children),
                                    [&](int64_t child) { return child >= n && !seen[child - n]; });
    if (next != std::end(children)) {
      path.push_back(*next - n);
      continue;
    }
    for (const int64_t child : children) {
      if (child >= n) continue;
      if (leader < 0) ++count;
      out[child] = count - 1;
    }
    if (leader == node) leader = -1;
    path.pop_back();
  }
  return out;
}

void check_token_pooling(const TokenPooling& options) {
  check(options.factor >= 1, "ERR_INVALID_MODEL", "Expected at least 1 for the poolFactor of HierarchicalTokenPooling ",
        "but found ", options.factor);
  check(options.kept >= 0, "ERR_INVALID_MODEL", "Expected at least 0 for the numProtectedTokens of ",
        "HierarchicalTokenPooling but found ", options.kept);
}

namespace {

// Python's count // factor.
int64_t whole_parts(int64_t count, double factor) {
  const auto all = static_cast<double>(count);
  return std::llround((all - std::fmod(all, factor)) / factor);
}

// The place of each of a row's vectors among those that come out; returns how many these are.
int32_t places_of(const at::Tensor& x_LD, const TokenPooling& options, int32_t* places) {
  const int64_t length = x_LD.size(0), kept = std::min(options.kept, length), rest = length - kept;
  const int64_t most = std::max<int64_t>(whole_parts(rest, options.factor), 1);
  if (most >= rest) {
    std::iota(places, places + length, 0);
    return static_cast<int32_t>(length);
  }
  std::iota(places, places + kept, 0);
  const at::Tensor x_RD = x_LD.narrow(0, kept, rest);
  const at::Tensor distances_RR = (1 - at::mm(x_RD, x_RD.t())).clamp_(0, 2).contiguous();
  const std::vector<int32_t> clusters = ward_clusters(distances_RR.const_data_ptr<float>(), rest, most);
  int32_t largest = 0;
  for (int64_t i = 0; i < rest; ++i) {
    places[kept + i] = static_cast<int32_t>(kept) + clusters[i];
    largest = std::max(largest, clusters[i]);
  }
  return static_cast<int32_t>(kept) + largest + 1;
}

}  // namespace

PooledRows pool_tokens(const at::Tensor& x_TD, std::span<const int32_t> offsets, const TokenPooling& options,
                       const std::vector<bool>& chosen) {
  const auto rows = static_cast<int64_t>(offsets.size()) - 1;
  std::vector<int32_t> places(x_TD.size(0)), counts(rows);
  {
    const at::NoGradGuard no_grad;
    const at::Tensor host_TD = x_TD.detach().to(at::kCPU, at::kFloat);
    parallel_ranges(rows, parallel_parts(rows, 1), [&](int64_t, int64_t begin, int64_t end) {
      const at::NoGradGuard no_grad_here;
      for (int64_t row = begin; row < end; ++row) {
        const int32_t first = offsets[row], length = offsets[row + 1] - first;
        counts[row] = length;
        if (!chosen[row] || length == 0 || options.factor <= 1) {
          std::iota(places.begin() + first, places.begin() + first + length, 0);
        } else {
          counts[row] = places_of(host_TD.narrow(0, first, length), options, places.data() + first);
        }
      }
    });
  }
  PooledRows out{x_TD, {0}};
  for (const int32_t count : counts) out.offsets.push_back(out.offsets.back() + count);
  const int64_t total = out.offsets.back();
  if (total < x_TD.size(0)) {
    std::vector<int64_t> to(places.size());
    std::vector<double> sizes(total);
    for (int64_t row = 0; row < rows; ++row) {
      for (int32_t t = offsets[row]; t < offsets[row + 1]; ++t) ++sizes[to[t] = out.offsets[row] + places[t]];
    }
    const at::Tensor places_T = upload<int64_t>(to, x_TD.device());
    const at::Tensor sizes_P1 = upload<double>(sizes, x_TD.device()).to(x_TD.scalar_type()).unsqueeze(1);
    out.x_TD = at::zeros({total, x_TD.size(1)}, x_TD.options()).index_add(0, places_T, x_TD) / sizes_P1;
  }
  if (!options.normalize) return out;
  const bool all = std::all_of(chosen.begin(), chosen.end(), [](bool one) { return one; });
  if (all) {
    out.x_TD = normalized(out.x_TD);
    return out;
  }
  std::vector<uint8_t> wanted(total);
  for (int64_t row = 0; row < rows; ++row) {
    std::fill(wanted.begin() + out.offsets[row], wanted.begin() + out.offsets[row + 1], chosen[row] ? 1 : 0);
  }
  const at::Tensor wanted_P1 = upload<uint8_t>(wanted, x_TD.device()).to(at::kBool).unsqueeze(1);
  out.x_TD = at::where(wanted_P1, normalized(out.x_TD), out.x_TD);
  return out;
}

}  // namespace st
