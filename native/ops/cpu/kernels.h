#pragma once

#include <cstdint>

#include "core/philox.h"
#include "ops/activation_kind.h"

// Raw-pointer kernels for the CPU, compiled once for every instruction set that can be chosen at run time
// (CMakeLists.txt). Each has a readable reference in ops/*.cpp. Shapes: T tokens, D width, S storage type, A
// arithmetic type.
namespace st::kernels {

struct Bf16 {
  uint16_t bits;
};

template <typename S>
struct Arithmetic {
  using type = S;
};
template <>
struct Arithmetic<Bf16> {
  using type = float;
};
template <typename S>
using arithmetic_t = typename Arithmetic<S>::type;

// Attention's softmax works on floats in powers of two, which saves a multiplication an element. So queries and
// biases are multiplied by kPerNat.
template <typename A>
constexpr A kPerNat = A(1);
template <>
constexpr float kPerNat<float> = 1.44269504088896341f;

// Elements of A that the kernels of layer norms need as scratch.
constexpr int64_t norm_scratch(int64_t width) {
  return (width + 15) / 16 * 16 * 3;
}

// And the kernel of branch_norm.
constexpr int64_t branch_scratch(int64_t width) {
  return norm_scratch(width) + (width + 15) / 16 * 16 * 2;
}

// The batch's row of every token, and its position in that row: they decide a dropout mask.
struct Tokens {
  const int32_t* rows;
  const int32_t* positions;
};

// Every mask_TM is a DropoutMask (ops/dropout.h); null: nothing is dropped.

// Norms: gamma * normal(x) + beta. `rms`: x is divided by its root mean square, and the mean is not subtracted.

// sum = residual + dropout(linear + bias); out = norm of sum.
template <typename S>
struct ResidualNorm {
  using A = arithmetic_t<S>;
  int64_t width;
  A epsilon;
  bool rms;
  Dropout dropout;
  Tokens tokens;
  const A* bias_D;  // null = 0
  const A* gamma_D;
  const A* beta_D;  // null = 0
  const S* residual_TD;
  S* sum_TD;  // null: not kept
  S* out_TD;
  A* mean_T;  // null: not kept
  A* rstd_T;
  uint16_t* mask_TM;  // written
};

// The same, where linear + bias passes a norm of its own first.
template <typename S>
struct BranchNorm {
  using A = arithmetic_t<S>;
  ResidualNorm<S> sum;
  A epsilon;
  bool rms;
  const A* bias_D;  // null = 0
  const A* gamma_D;
  const A* beta_D;  // null = 0
  S* branch_TD;     // linear + bias; null: not kept
  A* mean_T;        // null: not kept
  A* rstd_T;
};

// Partial sums of the calling part. dgamma, dbeta and dbias are adjacent in `partial_3D`, to which it adds.
template <typename S>
struct ResidualNormBackward {
  using A = arithmetic_t<S>;
  int64_t width;
  bool rms;
  A dropout_scale;
  const uint16_t* mask_TM;
  const A* gamma_D;
  const S* d_out_TD;
  const S* d_sum_TD;  // null: only the norm reads the sum
  const S* sum_TD;
  const A* mean_T;
  const A* rstd_T;
  S* d_residual_TD;
  S* d_linear_TD;
};

// sum = word_scale * word + position + type; out = dropout(norm of sum), or dropout(sum) without gamma.
template <typename S>
struct EmbeddingNorm {
  using A = arithmetic_t<S>;
  int64_t width;
  A word_scale;
  A epsilon;
  bool rms;
  Dropout dropout;
  Tokens tokens;
  const int32_t* ids_T;
  const int32_t* positions_T;  // in the table
  const int32_t* types_T;      // null = all 0
  const A* word_VD;
  const A* position_PD;  // null: there is none, as for types
  const A* type_KD;
  const A* gamma_D;
  const A* beta_D;  // null = 0
  A* sum_TD;
  S* out_TD;
  A* mean_T;  // null: not kept
  A* rstd_T;
  uint16_t* mask_TM;  // written
};

template <typename S>
struct EmbeddingNormBackward {
  using A = arithmetic_t<S>;
  int64_t width;
  bool rms;
  A dropout_scale;
  const uint16_t* mask_TM;
  const A* gamma_D;  // null: no norm
  const S* d_out_TD;
  A* sum_TD;  // in: what was normalised; out: its gradient
  const A* mean_T;
  const A* rstd_T;
};

// The gradients of an embedding's tables: word[ids[t]] += word_scale * d[t] for every token, and so on. Null: no such
// table.
template <typename A>
struct EmbeddingTablesBackward {
  int64_t width;
  int64_t tokens;
  A word_scale;
  const int32_t* ids_T;
  const int32_t* positions_T;
  const int32_t* types_T;  // null = all 0
  const A* d_TD;
  A* word_VD;
  A* position_PD;
  A* type_KD;
};

// out[r] = the mean of the rows of a table that the ids from offsets[r] to offsets[r + 1] name, 0 for none.
template <typename A>
struct RowMeans {
  int64_t width;
  const int32_t* ids;
  const int32_t* offsets;
  const A* table_VD;
  bool normalize;  // of length 1
  A* out_RD;
};

// after = f(linear + bias) for the activations of feed-forward blocks: gelu, gelu tanh, relu and silu. The backward
// pass needs the slope f'(linear + bias). It costs next to nothing here, and an exponential there.
template <typename S>
struct Activate {
  using A = arithmetic_t<S>;
  int64_t width;
  Activation kind;
  const A* bias_F;
  S* slope_TF;  // null: not kept
  S* after_TF;
};

// d = d_after * slope.
template <typename S>
struct ActivateBackward {
  using A = arithmetic_t<S>;
  int64_t width;
  const S* slope_TF;
  S* d_TF;
};

// after = dropout(f(a) g), where a and g are halves of linear + bias, a first or second. The gradients of a and g are
// that of `after` times the kept factors.
template <typename S>
struct Gate {
  using A = arithmetic_t<S>;
  int64_t width;  // of a half
  Activation kind;
  bool activated_first;
  Dropout dropout;
  Tokens tokens;
  const A* bias_2F;
  S* kept_T2F;  // null where no backward follows
  S* after_TF;
};

template <typename S>
struct GateBackward {
  using A = arithmetic_t<S>;
  int64_t width;
  const S* kept_T2F;
  S* d_T2F;
};

// Multiplies a matrix, or two with the same mask, by the factors of a dropout.
template <typename S>
struct Drop {
  int64_t width;
  Dropout dropout;
  Tokens tokens;
  S* first_TD;
  S* second_TD;  // null: there is one
};

// Rows of several heads of which the first `rotated` columns are turned by the position (Su et al. 2021): pairs of
// columns i and i + rotated / 2 by the angle of the token's row of the table, cosines before sines.
template <typename S>
struct Rotary {
  using A = arithmetic_t<S>;
  int64_t width;  // of a row
  int64_t heads;  // rotated columns; those after them are not
  int64_t head_dim, rotated;
  const int32_t* positions_T;
  const A* table_PR;
};

// The rotated heads pass an RMS norm each before they are turned: gamma * x / root mean square.
template <typename S>
struct HeadNorm {
  using A = arithmetic_t<S>;
  Rotary<S> rotary;
  int64_t query_heads;  // which have the first norm; the other rotated heads have the second
  A epsilon_query, epsilon_key;
  const A* gamma_query_E;
  const A* gamma_key_E;
  S* kept_TK;  // the rotated heads before the norm; null where no backward follows
};

// A matrix whose rows, one of each token, lie `stride` elements apart.
template <typename S>
struct TokenRows {
  S* data = nullptr;
  int64_t stride = 0;
};

// Distances of positions in a panel.
constexpr int64_t kPositionPanel = 32;

// The size of a head in tables of positions.
constexpr int64_t padded_head(int64_t head_dim) {
  return (head_dim + 15) / 16 * 16;
}

// Queries and keys of relative positions (ops/position_scores.h): M = 2 * reach distances query - key from -reach on, a
// multiple of kPositionPanel; E = padded_head(head_dim).
template <typename A>
struct Positions {
  int64_t reach = 0;  // 0: there are none
  const A* k_HME = nullptr;
  const A* q_HPED = nullptr;  // kPerNat / divisor * q: panels [E, kPositionPanel]
  // backward only
  const A* q_HME = nullptr;
  A* d_k_HME = nullptr;  // gain gradients, without the factor of scores; null: not wanted
  A* d_q_HME = nullptr;
};

// ops/attention.h. Shapes: H heads, E head_dim, Y = kv_heads * head_dim.
template <typename S>
struct Attention {
  using A = arithmetic_t<S>;
  int64_t heads;
  int64_t group;  // neighbouring heads that share keys and values
  int64_t head_dim;
  A divisor;              // of the products of queries and keys
  int64_t behind, ahead;  // how many keys before and after its own position a query sees
  Dropout dropout;
  TokenRows<const S> q, k, v;
  TokenRows<S> out;
  A* lse_HT;       // log of the softmax's denominator; null where no backward follows
  int64_t tokens;  // in a row of lse_HT
  uint16_t* mask;  // of dropout: a bit for each of 16 queries, [query / 16, key] from AttentionItem::mask on
  // The bias of each head times kPerNat, `bias_stride` apart, for a query d positions after its
  // key at bias_back + d; null: none. 32 numbers may be read behind the last.
  const A* bias_HR = nullptr;
  int64_t bias_stride = 0, bias_back = 0;
  // Instead of a bias, for as many queries as keys that all see each other.
  Positions<A> positions = {};
  // backward only
  TokenRows<const S> d_out = {};
  TokenRows<S> d_q = {}, d_k = {}, d_v = {};
  // The sums of d_q, d_k and d_v over the tokens of each row, [rows, H * E] and [rows, Y]; null: not wanted.
  A* sum_q_RX = nullptr;
  A* sum_k_RY = nullptr;
  A* sum_v_RY = nullptr;
  A* d_bias = nullptr;  // see AttentionItem::d_bias; null where there is no bias
};

// Heads [head, head_end) of one row; in the backward pass, whole groups of them.
struct AttentionItem {
  int64_t first_query, queries;  // its tokens
  int64_t first_key, keys;
  int64_t mask;        // where the row's masks begin
  int64_t mask_words;  // of each head; 0: its masks are drawn in both passes
  int64_t d_bias;  // where the row's gradients of biases begin: [H, queries + keys - 1], for each d from 1 - queries on
  int32_t row;
  int32_t head, head_end;
};

// One update of AdamW: what all elements of a range share.
template <typename A>
struct AdamW {
  A step_size, keep;  // lr / (1 - beta1^t), 1 - lr * weight decay
  A beta2;
  A rest1, rest2;  // 1 - beta1, 1 - beta2, rounded once: from a rounded 0.999 the second is wrong in the fifth digit
  A inverse_correction2;  // 1 / sqrt(1 - beta2^t)
  A epsilon;
  A grad_factor;  // of clipping
};

// Of one update and those after it: the largest step size, and the smallest inverse correction.
template <typename A>
struct AdamWBound {
  A step_size, inverse_correction2;
};

// Updates, in order, of elements that had no gradient in any of them.
template <typename A>
struct Replay {
  const AdamW<A>* updates;
  const AdamWBound<A>* bounds;  // of each
  int64_t count;
  bool decays;  // whether some `keep` is not 1
};

template <typename S>
struct Table {
  using A = arithmetic_t<S>;
  // Rows begin to end of a batch. Their inputs of type A lie in a block: row `begin` first, rows `width` apart. It may
  // be the memory that the results of these rows go to, where that is of type A. `scratch`: norm_scratch(width).
  void (*residual_norm)(const ResidualNorm<S>&, int64_t begin, int64_t end, const A* linear_BD, A* scratch);
  void (*residual_norm_backward)(const ResidualNormBackward<S>&, int64_t begin, int64_t end, A* partial_3D, A* scratch);
  // `scratch`: branch_scratch(width).
  void (*branch_norm)(const BranchNorm<S>&, int64_t begin, int64_t end, const A* linear_BD, A* scratch);
  void (*embedding_norm)(const EmbeddingNorm<S>&, int64_t begin, int64_t end, A* scratch);
  void (*embedding_norm_backward)(const EmbeddingNormBackward<S>&, int64_t begin, int64_t end, A* partial_2D,
                                  A* scratch);
  // Columns begin to end, in the order of the tokens.
  void (*embedding_tables_backward)(const EmbeddingTablesBackward<A>&, int64_t begin, int64_t end);
  void (*activate)(const Activate<S>&, int64_t begin, int64_t end, const A* linear_BF);
  // Adds the sums of d over the rows to `partial_bias_F`.
  void (*activate_backward)(const ActivateBackward<S>&, int64_t begin, int64_t end, const A* d_after_BF,
                            A* partial_bias_F);
  // `scratch`: norm_scratch(width of a half).
  void (*gate)(const Gate<S>&, int64_t begin, int64_t end, const A* linear_B2F, A* scratch);
  // Adds the sums of d over the rows to `partial_bias_2F`.
  void (*gate_backward)(const GateBackward<S>&, int64_t begin, int64_t end, const A* d_after_BF, A* partial_bias_2F);
  // `scratch`: norm_scratch(width).
  void (*drop)(const Drop<S>&, int64_t begin, int64_t end, A* scratch);
  // out = linear + bias, turned; the bias may be null, and linear may lie where out does.
  void (*rotate)(const Rotary<S>&, int64_t begin, int64_t end, const A* linear_BX, const A* bias_X, S* out_TX);
  // Turns d back in place, and adds its sums over the rows to `partial_bias_X`.
  void (*rotate_back)(const Rotary<S>&, int64_t begin, int64_t end, S* d_TX, A* partial_bias_X);
  // The same with norms of the heads in front of the rotation. `scratch`: norm_scratch(width).
  void (*head_norm)(const HeadNorm<S>&, int64_t begin, int64_t end, const A* linear_BX, const A* bias_X, S* out_TX,
                    A* scratch);
  // `partial_2E`: the sums of the gammas' gradients.
  void (*head_norm_backward)(const HeadNorm<S>&, int64_t begin, int64_t end, S* d_TX, A* partial_bias_X, A* partial_2E,
                             A* scratch);
  // out = sum of weights[t] x[t] over the first `count` rows.
  void (*weighted_sum)(int64_t width, int64_t count, const A* weights, const A* x_TD, A* out);
  // Rows begin to end, with the bits of weighted_sum and normalize.
  void (*row_means)(const RowMeans<A>&, int64_t begin, int64_t end);
  // d_x[t] += weights[t] * d_out.
  void (*weighted_sum_backward)(int64_t width, int64_t count, const A* weights, const A* d_out, A* d_x_TD);
  // The highest of each column over the first `count` rows, the first of equal ones, and, unless it is null, its row.
  void (*highest)(int64_t width, int64_t count, const A* x_TD, A* out, int32_t* row);
  // Divides every row by its length, or by 1e-12 where that is larger.
  void (*normalize)(int64_t width, int64_t count, A* x_RD);
  // From the storage type to the arithmetic type.
  void (*widen)(int64_t count, const S* from, A* to);
  int64_t (*attention_scratch)(const Attention<S>&, const AttentionItem&, bool backward);  // elements of A
  void (*attention)(const Attention<S>&, const AttentionItem&, A* scratch);
  void (*attention_backward)(const Attention<S>&, const AttentionItem&, A* scratch);
  // Updates, zeroes the gradient and, unless it is null, renews the copy of the values.
  void (*adamw)(const AdamW<A>&, int64_t count, A* value, A* grad, A* exp_avg, A* exp_avg_sq, S* copy);
  // The bits of calling adamw for every update with gradients of 0.
  void (*adamw_replay)(const Replay<A>&, int64_t count, A* value, A* exp_avg, A* exp_avg_sq, S* copy);
  // Infinite or NaN where a square or their sum is.
  double (*squared_norm)(int64_t count, const A* x);
  // out (+)= sums (+ bias), whole rows. bias may be null, and sums may be in the memory of out.
  void (*store_rows)(int64_t rows, int64_t width, const A* sums, const A* bias, bool accumulate, S* out);
};

// The table of the processor's best instruction set, or of the one in SENTENCE_TORCH_CPU.
template <typename S>
const Table<S>& table();

// portable, avx2, avx512 or amx: the choice of table(). amx is avx512 with products on tiles.
const char* chosen();

}  // namespace st::kernels
