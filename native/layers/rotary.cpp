#include "layers/rotary.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/reciprocal.h>

#include <cmath>
#include <map>
#include <vector>

#include "core/error.h"

namespace st {

// No lock, because only the executor's thread runs passes.
struct Rotary::Tables {
  RotaryBase base;
  int64_t rotated;
  at::Tensor table_PR;           // of rows of ordinary length
  std::vector<int32_t> offsets;  // of the last batch with a long row, and its angles
  RotaryAngles long_rows;

  const at::Tensor& up_to(int64_t longest, const at::TensorOptions& like);
  const RotaryAngles& with_long_rows(const Input& input, const at::TensorOptions& like);
  at::Tensor table(const RotaryBase& of, int64_t positions, const at::TensorOptions& like) const;
};

// Computed by the host's processor, so that angles are the same on every device.
at::Tensor Rotary::Tables::table(const RotaryBase& of, int64_t positions, const at::TensorOptions& like) const {
  const at::ScalarType type = c10::typeMetaToScalarType(like.dtype());
  return rotary_table(rotary_frequencies(of, rotated, type), positions).to(like.device());
}

const at::Tensor& Rotary::Tables::up_to(int64_t longest, const at::TensorOptions& like) {
  const bool fits = table_PR.defined() && table_PR.device() == like.device() && table_PR.dtype() == like.dtype();
  if (!fits || table_PR.size(0) < longest) {
    constexpr int64_t kLeast = 512;
    int64_t positions = kLeast;
    while (positions < longest) positions *= 2;
    table_PR = table(base, positions, like);
  }
  return table_PR;
}

// A table for ordinary rows, followed by one for each greater length.
const RotaryAngles& Rotary::Tables::with_long_rows(const Input& input, const at::TensorOptions& like) {
  const Rows& batch = input.batch;
  const DynamicNtk& ntk = *base.ntk;
  if (offsets == batch.offsets && long_rows.table_PR.dtype() == like.dtype()) return long_rows;
  check(!input.fixed, "ERR_UNSUPPORTED", "Rows of more than ", ntk.trained,
        " tokens, whose rotary angles depend on their length, cannot be recorded");
  std::vector<at::Tensor> tables = {table(base, ntk.trained, like)};
  std::map<int64_t, int32_t> starts;  // of each length
  auto end = static_cast<int32_t>(ntk.trained);
  const at::Tensor places_T = at::empty({input.tokens()}, at::kInt);
  int32_t* place = places_T.data_ptr<int32_t>();
  for (int64_t row = 0; row < batch.rows(); ++row) {
    const int64_t length = batch.length(row);
    int32_t start = 0;
    if (length > ntk.trained) {
      const auto [known, added] = starts.try_emplace(length, end);
      if (added) {
        const double scale =
            ntk.factor * static_cast<double>(length) / static_cast<double>(ntk.trained) - (ntk.factor - 1);
        const auto width = static_cast<double>(rotated);
        tables.push_back(table({base.theta * std::pow(scale, width / (width - 2))}, length, like));
        end += static_cast<int32_t>(length);
      }
      start = known->second;
    }
    for (int64_t i = 0; i < length; ++i) *place++ = start + static_cast<int32_t>(i);
  }
  long_rows = {at::cat(tables), places_T.to(like.device())};
  offsets = batch.offsets;
  return long_rows;
}

Rotary::Rotary(const RotaryShape& shape, const RotaryBase& base)
    : shape_(shape), tables_(std::make_shared<Tables>(Tables{base, shape.rotated, {}, {}, {}})) {}

const RotaryBase& Rotary::base() const {
  return tables_->base;
}

RotaryAngles Rotary::angles(const Pass& pass) const {
  const int64_t longest = pass.input.longest();
  const at::TensorOptions like = at::TensorOptions().dtype(pass.master()).device(pass.input.ids_T.device());
  const std::optional<DynamicNtk>& ntk = tables_->base.ntk;
  if (ntk && longest > ntk->trained) return tables_->with_long_rows(pass.input, like);
  return {tables_->up_to(longest, like), pass.input.positions_T};
}

at::Tensor rotary_frequencies(const RotaryBase& base, int64_t rotated, at::ScalarType type) {
  const at::Tensor exponent_R = at::arange(0, rotated, 2, type) / rotated;
  const at::Tensor frequency_R = at::reciprocal(at::pow(base.theta, exponent_R));
  return base.divisor == 1 ? frequency_R : frequency_R / base.divisor;
}

}  // namespace st
