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

// Only the executor's thread runs passes, so there is no lock.
struct Rotary::Tables {
  at::Tensor frequency_R;
  std::optional<DynamicNtk> ntk;
  at::Tensor table_PR;           // of rows of ordinary length
  std::vector<int32_t> offsets;  // of the last batch with a long row, and its angles
  RotaryAngles long_rows;

  const at::Tensor& up_to(int64_t longest, at::Device device);
  const RotaryAngles& with_long_rows(const Input& input, int64_t rotated);
};

namespace {

// Angles of the host's processor, so that they are the same on every device.
at::Tensor table_on(const at::Tensor& frequency_R, int64_t positions, at::Device device) {
  return rotary_table(frequency_R, positions).to(device);
}

}  // namespace

const at::Tensor& Rotary::Tables::up_to(int64_t longest, at::Device device) {
  if (!table_PR.defined() || table_PR.device() != device || table_PR.size(0) < longest) {
    constexpr int64_t kLeast = 512;
    int64_t positions = kLeast;
    while (positions < longest) positions *= 2;
    table_PR = table_on(frequency_R, positions, device);
  }
  return table_PR;
}

// A table for ordinary rows, and behind it one for each length above.
const RotaryAngles& Rotary::Tables::with_long_rows(const Input& input, int64_t rotated) {
  const PackedBatch& batch = input.batch;
  if (offsets == batch.offsets) return long_rows;
  check(!input.fixed, "ERR_UNSUPPORTED", "Rows of more than ", ntk->trained,
        " tokens, whose rotary angles depend on their length, cannot be recorded");
  const at::Device device = input.ids_T.device();
  std::vector<at::Tensor> tables = {table_on(frequency_R, ntk->trained, device)};
  std::map<int64_t, int32_t> starts;  // of each length
  auto end = static_cast<int32_t>(ntk->trained);
  const at::Tensor places_T = at::empty({input.tokens()}, at::kInt);
  int32_t* place = places_T.data_ptr<int32_t>();
  for (int64_t row = 0; row < batch.rows(); ++row) {
    const int64_t length = batch.length(row);
    int32_t start = 0;
    if (length > ntk->trained) {
      const auto [known, added] = starts.try_emplace(length, end);
      if (added) {
        const double scale =
            ntk->factor * static_cast<double>(length) / static_cast<double>(ntk->trained) - (ntk->factor - 1);
        const auto width = static_cast<double>(rotated);
        const double theta = ntk->theta * std::pow(scale, width / (width - 2));
        tables.push_back(table_on(rotary_frequencies(theta, rotated), length, device));
        end += static_cast<int32_t>(length);
      }
      start = known->second;
    }
    for (int64_t i = 0; i < length; ++i) *place++ = start + static_cast<int32_t>(i);
  }
  long_rows = {at::cat(tables), places_T.to(device)};
  offsets = batch.offsets;
  return long_rows;
}

Rotary::Rotary(const RotaryShape& shape, const at::Tensor& frequency_R, const std::optional<DynamicNtk>& ntk)
    : shape_(shape), tables_(std::make_shared<Tables>()) {
  tables_->frequency_R = frequency_R;
  tables_->ntk = ntk;
}

RotaryAngles Rotary::angles(const Pass& pass) const {
  const int64_t longest = pass.input.longest();
  if (tables_->ntk && longest > tables_->ntk->trained) return tables_->with_long_rows(pass.input, shape_.rotated);
  return {tables_->up_to(longest, pass.input.ids_T.device()), pass.input.positions_T};
}

at::Tensor rotary_frequencies(double theta, int64_t rotated) {
  const at::Tensor exponent_R = at::arange(0, rotated, 2, at::kFloat) / rotated;
  return at::reciprocal(at::pow(theta, exponent_R));
}

}  // namespace st
