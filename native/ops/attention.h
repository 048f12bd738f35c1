#pragma once

#include "core/philox.h"
#include "ops/input.h"
#include "ops/position_scores.h"
#include "ops/relative_bias.h"

// Attention of packed rows, one descriptor for every family of transformers: softmax(scale q k' + bias) v inside each
// row, with dropout on the probabilities. It knows no tensor names; rotary embeddings come before it.
// Shapes: T query tokens, S key tokens, H heads, E head size, X = heads * E, Y = key heads * E.
namespace st {

struct AttentionShape {
  int64_t heads;
  int64_t kv_heads;  // key and value heads; each serves heads / kv_heads neighbouring query heads
  int64_t head_dim;
  double scale;  // of the products of queries and keys, usually 1 / sqrt(head_dim)
  // Query i of a row stands at position key length - query length + i, like the last keys.
  bool causal = false;  // a query sees no key after its position
  // A query sees keys with |query - key| <= window; -1: all. The sliding_window of decoders in transformers counts the
  // token itself, so it is one more.
  int64_t window = -1;
};

// The rows of queries, or of the keys that they attend to: row r is `length[r]` packed tokens from `first[r]` on.
struct Sequences {
  int64_t rows;
  const int32_t* first;          // [rows], memory of the host
  const int32_t* length;         // [rows]; null: a row ends where the next one begins, and `first` is [rows + 1]
  const Input* input = nullptr;  // the batch whose rows these are; needed on a GPU, which reads its offsets

  int64_t length_of(int64_t row) const { return length != nullptr ? length[row] : first[row + 1] - first[row]; }
};

// All rows of a batch.
Sequences rows_of(const Input& input);

// Who attends to whom, and how.
struct AttentionCall {
  Sequences queries, keys;  // row r of the queries attends to row r of the keys
  AttentionShape shape;
  Dropout dropout = {};
  const RelativeBias* bias = nullptr;
  // Instead of a bias, where queries and keys are the same rows that all see each other, without groups of heads.
  const PositionScores* positions = nullptr;
};

// Three tensors of queries [T, X], keys [S, Y] and values [S, Y], their gradients, or [X], [Y], [Y] of their biases.
struct Projections {
  at::Tensor q, k, v;
};

// Views of q | k | v side by side in the last dimension; undefined ones of an undefined tensor.
Projections side_by_side(const at::Tensor& qkv, const AttentionShape& shape);

struct AttentionGradients {
  Projections values;        // written
  Projections biases = {};   // master dtype; each gains the sum of its gradient over the tokens; undefined: not wanted
  at::Tensor table_BH = {};  // master dtype; gains the gradient of the relative bias; undefined: not wanted
  PositionPair positions = {};  // the same for the queries and keys of positions: both or none
};

// Where backward passes follow, attention keeps in it what its dropout drew: a bit for each probability, or, off the
// CPU, the state of a generator. Nothing for long rows of keys, whose masks are drawn again.
int64_t attention_mask_words(const AttentionCall& call);

// q, k, v and out are matrices whose rows may lie any distance apart. lse_HT (master dtype) is undefined where no
// backward pass follows. mask (int16, attention_mask_words() of them) is undefined where there is no dropout, or where
// none is needed (off the CPU, unless the step is recorded). Throws ERR_INVALID_ARGUMENT for sizes that do not fit.
void attention(const AttentionCall& call, const Projections& qkv, at::Tensor out_TX, at::Tensor lse_HT,
               at::Tensor mask);
void attention_backward(const AttentionCall& call, const Projections& qkv, const at::Tensor& out_TX,
                        const at::Tensor& lse_HT, const at::Tensor& mask, const at::Tensor& d_out_TX,
                        const AttentionGradients& d);

namespace reference {
decltype(st::attention) attention;
decltype(st::attention_backward) attention_backward;
}  // namespace reference

}  // namespace st
