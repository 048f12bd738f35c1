#include "ops/static_input.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/sizes.h"

namespace st {

namespace {

int64_t count_of(const PackedBatch& batch) {
  return std::visit(
      [](const auto& labels) {
        if constexpr (std::is_same_v<std::decay_t<decltype(labels)>, std::monostate>)
          return int64_t{0};
        else
          return static_cast<int64_t>(labels.size());
      },
      batch.labels);
}

// The first token of a row that is pooled, if prompts are left out.
int32_t first_token(const Rows& batch, int64_t row) {
  const int64_t prompt = batch.prompt_lengths.empty() ? 0 : batch.prompt_lengths[row];
  return static_cast<int32_t>(batch.offsets[row] + std::min(prompt, batch.length(row) - 1));
}

}  // namespace

StepShape shape_of(const PackedBatch& batch, int64_t positions) {
  StepShape out{.bucket = bucket_of(batch, positions),
                .integers = std::holds_alternative<std::vector<int32_t>>(batch.labels),
                .text_ids = !batch.text_ids.empty(),
                .guide_width = batch.guide_width};
  const int64_t count = count_of(batch);
  if (count == 0) return out;
  out.labels = batch.label_shape.empty() ? std::vector<int64_t>{count} : batch.label_shape;
  const int64_t expected = checked_product("labelShape", out.labels);
  check(expected == count, "ERR_INVALID_ARGUMENT", "Expected ", expected, " labels for labelShape but found ", count);
  return out;
}

StaticInput::StaticInput(const StepShape& shape, at::Device device) : shape_(shape) {
  const int64_t tokens = shape.bucket.tokens, rows = shape.bucket.rows();
  if (!shape.labels.empty()) label_count_ = checked_product("labelShape", shape.labels);
  ids_ = key_ + 2;  // the key first: it is read as 64 bits
  rows_ = ids_ + tokens;
  positions_ = rows_ + tokens;
  types_ = positions_ + tokens;
  offsets_ = types_ + tokens;
  first_ = offsets_ + rows + 1;
  labels_ = first_ + rows;
  text_ids_ = labels_ + label_count_;
  guide_ = text_ids_ + (shape.text_ids ? shape.bucket.texts : 0);
  buffer_ =
      at::zeros({guide_ + shape.bucket.texts * shape.guide_width}, at::TensorOptions().dtype(at::kInt).device(device));
}

void StaticInput::fill(const PackedBatch& batch, const DropoutKey& key, int32_t* words) const {
  const Rows all = padded(batch, shape_.bucket);
  std::memcpy(words + key_, &key.key, sizeof(key.key));
  std::copy(all.ids.begin(), all.ids.end(), words + ids_);
  fill_places(all, words + rows_, words + positions_);
  if (all.token_types.empty()) std::fill_n(words + types_, all.tokens(), 0);
  std::copy(all.token_types.begin(), all.token_types.end(), words + types_);
  std::copy(all.offsets.begin(), all.offsets.end(), words + offsets_);
  for (int64_t row = 0; row < all.rows(); ++row) words[first_ + row] = first_token(all, row);
  check(count_of(batch) == label_count_, "ERR_LIBTORCH", "Expected ", label_count_, " labels but found ",
        count_of(batch));
  std::visit(
      [&](const auto& labels) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(labels)>, std::monostate>) {
          // An empty vector has no memory.
          if (!labels.empty()) std::memcpy(words + labels_, labels.data(), labels.size() * sizeof(labels[0]));
        }
      },
      batch.labels);
  if (shape_.text_ids) std::copy(batch.text_ids.begin(), batch.text_ids.end(), words + text_ids_);
  if (!batch.guide.empty()) std::memcpy(words + guide_, batch.guide.data(), batch.guide.size() * sizeof(float));
}

Input StaticInput::input(const Rows& padded) const {
  const int64_t tokens = shape_.bucket.tokens, rows = shape_.bucket.rows();
  check(padded.tokens() == tokens && padded.rows() == rows, "ERR_LIBTORCH", "Expected a batch padded to ", tokens,
        " tokens in ", rows, " rows but found ", padded.tokens(), " in ", padded.rows());
  Input out(padded);
  out.bucket = shape_.bucket;
  out.key_1 = buffer_.narrow(0, key_, 2).view(at::kLong);
  out.ids_T = buffer_.narrow(0, ids_, tokens);
  out.rows_T = buffer_.narrow(0, rows_, tokens);
  out.positions_T = buffer_.narrow(0, positions_, tokens);
  out.types_T = buffer_.narrow(0, types_, tokens);
  out.offsets_R1 = buffer_.narrow(0, offsets_, rows + 1);
  out.first_R = buffer_.narrow(0, first_, rows);
  return out;
}

at::Tensor StaticInput::labels() const {
  if (label_count_ == 0) return {};
  const at::Tensor words = buffer_.narrow(0, labels_, label_count_);
  return (shape_.integers ? words : words.view(at::kFloat)).view(shape_.labels);
}

at::Tensor StaticInput::text_ids_R() const {
  return shape_.text_ids ? buffer_.narrow(0, text_ids_, shape_.bucket.texts) : at::Tensor();
}

at::Tensor StaticInput::guide_RG() const {
  if (shape_.guide_width == 0) return {};
  const int64_t rows = shape_.bucket.texts, width = shape_.guide_width;
  return buffer_.narrow(0, guide_, rows * width).view(at::kFloat).view({rows, width});
}

}  // namespace st
