#include "layers/rotary.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/reciprocal.h>

#include <algorithm>

namespace st {

// Only the executor's thread runs passes, so there is no lock.
struct Rotary::Table {
  at::Tensor frequency_R, table_PR;
};

Rotary::Rotary(const RotaryShape& shape, const at::Tensor& frequency_R)
    : shape_(shape), table_(std::make_shared<Table>(Table{frequency_R, {}})) {}

at::Tensor Rotary::table(const Pass& pass) const {
  const at::Device device = pass.input.ids_T.device();
  at::Tensor& kept_PR = table_->table_PR;
  const int64_t longest = pass.input.longest();
  if (!kept_PR.defined() || kept_PR.device() != device || kept_PR.size(0) < longest) {
    constexpr int64_t kLeast = 512;
    int64_t positions = kLeast;
    while (positions < longest) positions *= 2;
    // Angles of the host's processor, so that they are the same on every device.
    kept_PR = rotary_table(table_->frequency_R, positions).to(device);
  }
  return kept_PR;
}

at::Tensor rotary_frequencies(double theta, int64_t rotated) {
  const at::Tensor exponent_R = at::arange(0, rotated, 2, at::kFloat) / rotated;
  return at::reciprocal(at::pow(theta, exponent_R));
}

}  // namespace st
