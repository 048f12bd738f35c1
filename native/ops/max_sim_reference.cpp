// MaxSim in operations of ATen: on every device.
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "core/error.h"
#include "ops/max_sim.h"

namespace st {

namespace {

at::Tensor of_row(const TokenVectors& vectors, int64_t row) {
  return vectors.x_TD.narrow(0, vectors.offsets[row], vectors.length(row));
}

}  // namespace

namespace reference {

at::Tensor max_sim(const TokenVectors& queries, const TokenVectors& documents, const MaxSim& options) {
  const at::Tensor d_SD =
      documents.x_TD.narrow(0, documents.offsets.front(), documents.offsets.back() - documents.offsets.front());
  const auto number = [&](double value) { return at::full({}, value, queries.x_TD.options()); };
  std::vector<at::Tensor> rows;
  for (int64_t q = 0; q < queries.rows(); ++q) {
    const at::Tensor q_LD = of_row(queries, q);
    const int64_t length = queries.length(q);
    at::Tensor least_L = at::full({length}, -std::numeric_limits<double>::infinity(), q_LD.options());
    if (options.top_k > 0 && options.top_k < d_SD.size(0)) {
      least_L = std::get<0>(at::topk(at::mm(q_LD, d_SD.t()).detach(), options.top_k, 1)).select(1, options.top_k - 1);
    }
    std::vector<at::Tensor> scores;
    for (int64_t n = 0; n < documents.rows(); ++n) {
      if (documents.length(n) == 0) {
        const double parts = options.mean && options.top_k == 0 ? static_cast<double>(std::max<int64_t>(length, 1)) : 1;
        scores.push_back(number(kEmptyDocument / parts));
        continue;
      }
      at::Tensor best_L = std::get<0>(at::mm(q_LD, of_row(documents, n).t()).max(1));
      if (options.top_k > 0) {
        const at::Tensor counts_L = best_L.detach() >= least_L;
        best_L = at::where(counts_L, best_L, number(0));
        scores.push_back(best_L.sum() / counts_L.sum().clamp_min(1));
      } else {
        scores.push_back(best_L.sum() / (options.mean ? std::max<int64_t>(length, 1) : 1));
      }
    }
    rows.push_back(at::stack(scores));
  }
  return at::stack(rows);
}

}  // namespace reference

}  // namespace st
