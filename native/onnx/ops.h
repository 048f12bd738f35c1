#pragma once

#include <vector>

#include "onnx/graph.h"
#include "ops/activation_kind.h"
#include "ops/attention.h"

// What the layers' ops are in operators of ONNX, over padded rows: the formulas of native/ops, not their kernels.
namespace st::onnx {

// Inputs, int64 [B, S]: those of models on the Hugging Face hub.
inline constexpr const char* kIds = "input_ids";
inline constexpr const char* kMask = "attention_mask";  // 1: a token, 0: padding
inline constexpr const char* kTypes = "token_type_ids";

Value add(Graph& graph, const Value& a, const Value& b);
Value multiply(Graph& graph, const Value& a, const Value& b);
// Of these sizes along the last dimension.
std::vector<Value> split(Graph& graph, const Value& x, std::vector<int64_t> sizes);

// x W' + b for a matrix [O, I]; `bias` may be null.
Value product(Graph& graph, const Value& x, const TensorInfo& weight, const TensorInfo* bias);
// The same by their numbers; bias -1: there is none.
Value product(Graph& graph, const Value& x, ParamId weight, ParamId bias);
Value activate(Graph& graph, Activation activation, const Value& x);
// `beta` may be empty.
Value layer_norm(Graph& graph, const Value& x, const Value& gamma, const Value& beta, double epsilon);
Value rms_norm(Graph& graph, const Value& x, const Value& gamma, double epsilon);
// Rows of length 1 along the last dimension.
Value normalize(Graph& graph, const Value& x);

// 0, 1, …, S - 1.
Value positions_S(Graph& graph);
// positions_after_padding of ops/embedding_norm.h.
Value positions_after_padding_BS(Graph& graph, int64_t padding);
// Position of the query - position of the key, from -most to most, plus `most`: a place in a table of 2 most + 1.
Value distances_SS(Graph& graph, int64_t most);

// Of kMask, as numbers.
Value mask_BS(Graph& graph);
// The last token of each row that `keep` (of 0 and 1) has; the first token of a row without any.
Value last_place_B(Graph& graph, const Value& keep_BS);
// One token of each row.
Value token_BD(Graph& graph, const Value& x_BSD, const Value& place_B);

// Of a projection.
Value heads_BHSE(Graph& graph, const Value& x_BSX, int64_t heads, int64_t head_dim);
// What is added to scores: 0 where a query may see a key, else the lowest number. [B, 1, 1, S] or [B, 1, S, S].
Value mask_bias(Graph& graph, const AttentionShape& shape);
// [1, H, S, S], of a table [buckets or more, H].
Value relative_bias(Graph& graph, const Value& table_BH, int64_t buckets, int64_t max_distance, bool both_ways);
// Neighbouring query heads share a head of keys or values.
Value shared_heads_BHSE(Graph& graph, const Value& x_BKSE, const AttentionShape& shape);
// softmax(scores + bias) v, heads side by side.
Value attend_BSX(Graph& graph, const AttentionShape& shape, const Value& scores_BHSS, const Value& v_BHSE);
Value scores_BHSS(Graph& graph, const Value& q_BHSE, const Value& k_BHSE);

}  // namespace st::onnx
