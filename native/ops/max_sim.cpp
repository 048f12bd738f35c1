#include "ops/max_sim.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "core/profile.h"
#include "core/workspace.h"
#include "ops/product.h"

namespace st {

namespace {

constexpr int64_t kColumns = 512;              // query vectors at a time, and
constexpr int64_t kTokens = 256;               // document vectors: their products stay in the second-level cache
constexpr int64_t kRanked = int64_t{1} << 22;  // products with all documents at a time, of which the best are chosen

// The products of document vectors with a block of query vectors: as packed operands where there are kernels for them.
template <typename A>
class Products {
 public:
  // Detached: threads of a pool record gradients, whatever the calling thread does.
  Products(const at::Tensor& queries_CD, int64_t rows) : workspace_(at::kCPU), queries_CD_(queries_CD.detach()) {
    if constexpr (std::is_same_v<A, float>) {
      kernels_ = product::kernels_for<float>(rows, queries_CD.size(1));
      if (kernels_ != nullptr) packed_ = product::pack(queries_CD, true, rows, workspace_);
    }
  }
  int64_t columns() const { return queries_CD_.size(0); }
  // out [count, columns] = the products of `count` vectors from `x` on.
  void multiply(const A* x, int64_t count, A* out) const {
    const int64_t depth = queries_CD_.size(1);
    if constexpr (std::is_same_v<A, float>) {
      if (kernels_ != nullptr) {
        return kernels_->multiply(x, depth, count, data<float>(packed_), depth, columns(), out, columns());
      }
    }
    const at::Tensor x_ND = at::from_blob(const_cast<A*>(x), {count, depth}, queries_CD_.options());
    at::Tensor out_NC = at::from_blob(out, {count, columns()}, queries_CD_.options());
    at::mm_out(out_NC, x_ND, queries_CD_.t());
  }

 private:
  Workspace workspace_;
  at::Tensor queries_CD_, packed_;
  const kernels::Products<float>* kernels_ = nullptr;
};

// best[c] = the largest of the rows' numbers in column c and best[c]; at[c] = whose it is, unless `at` is null.
template <typename A>
void take_largest(const A* rows_NC, int64_t count, int64_t columns, int32_t first, A* best, int32_t* at) {
  for (int64_t n = 0; n < count; ++n, rows_NC += columns) {
    if (at == nullptr) {
#pragma omp simd
      for (int64_t c = 0; c < columns; ++c) best[c] = rows_NC[c] > best[c] ? rows_NC[c] : best[c];
      continue;
    }
    const auto token = first + static_cast<int32_t>(n);
#pragma omp simd
    for (int64_t c = 0; c < columns; ++c) {
      const bool larger = rows_NC[c] > best[c];
      at[c] = larger ? token : at[c];
      best[c] = larger ? rows_NC[c] : best[c];
    }
  }
  // A comparison passes NaN by, which is to come out.
}

template <typename A>
void spread_not_finite(const A* rows_NC, int64_t count, int64_t columns, A* best) {
  A sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count * columns; ++i) sum += rows_NC[i] - rows_NC[i];
  if (sum == 0) return;
  for (int64_t i = 0; i < count * columns; ++i) {
    if (rows_NC[i] != rows_NC[i]) best[i % columns] = rows_NC[i];
  }
}

struct Best {};
struct Sums {};
struct Decoded {};

// A pass over all products of queries and documents.
template <typename A>
class Scorer {
 public:
  // codes: of the documents, in place of their x_TD.
  Scorer(const TokenVectors& queries, const TokenVectors& documents, const MaxSim& options, int32_t* winners_NT,
         const TokenCodes* codes = nullptr)
      : queries_(queries),
        documents_(documents),
        options_(options),
        winners_NT_(winners_NT),
        codes_(codes),
        first_(queries.offsets.front()),
        tokens_(queries.offsets.back() - queries.offsets.front()) {}

  void run(A* scores_QN, A* factors_QN) {
    for (int64_t q = 0; q < queries_.rows();) {
      int64_t end = q + 1;
      while (end < queries_.rows() && queries_.offsets[end + 1] - queries_.offsets[q] <= columns_at_once()) ++end;
      block(q, end, scores_QN, factors_QN);
      q = end;
    }
  }

 private:
  // Document vectors [begin, begin + count), at most kTokens.
  const A* vectors(int64_t begin, int64_t count) const {
    const int64_t width = queries_.x_TD.size(1);
    if constexpr (std::is_same_v<A, float>) {
      if (codes_ != nullptr) {
        float* numbers = thread_scratch<float, Decoded>(kTokens * width);
        decode(*codes_, begin, count, numbers);
        return numbers;
      }
    }
    return data<A>(documents_.x_TD) + begin * width;
  }
  int64_t document_tokens() const { return documents_.offsets.back() - documents_.offsets.front(); }
  int64_t columns_at_once() const {
    if (options_.top_k == 0) return kColumns;
    return std::clamp<int64_t>(kRanked / std::max<int64_t>(document_tokens(), 1), 1, kColumns);
  }

  // Queries [begin, end) with all documents.
  void block(int64_t begin, int64_t end, A* scores_QN, A* factors_QN) const {
    const int64_t from = queries_.offsets[begin], columns = queries_.offsets[end] - from, count = documents_.rows();
    if (columns == 0) {
      for (int64_t n = 0; n < count; ++n) finish(begin, end, n, nullptr, nullptr, scores_QN, factors_QN);
      return;
    }
    const Products<A> products(queries_.x_TD.narrow(0, from, columns), document_tokens());
    std::vector<A> least;
    if (options_.top_k > 0) least = least_of(products);
    parallel_ranges(count, parallel_parts(count, 1), [&](int64_t, int64_t first, int64_t last) {
      A* best_NC = thread_scratch<A, Best>(kTokens * columns);
      A* sums_NC = thread_scratch<A, Sums>(kTokens * columns);
      for (int64_t n = first; n < last;) {
        int64_t next = n + 1;
        while (next < last && next - n < kTokens && documents_.offsets[next + 1] - documents_.offsets[n] <= kTokens) {
          ++next;
        }
        std::fill(best_NC, best_NC + (next - n) * columns, -std::numeric_limits<A>::infinity());
        // One group of documents, or a long one in pieces.
        const int64_t group_end = documents_.offsets[next];
        for (int64_t t = documents_.offsets[n]; t < group_end;) {
          const int64_t piece = std::min(kTokens, group_end - t);
          products.multiply(vectors(t, piece), piece, sums_NC);
          for (int64_t d = n; d < next; ++d) {
            const int64_t a = std::max<int64_t>(documents_.offsets[d], t);
            const int64_t b = std::min<int64_t>(documents_.offsets[d + 1], t + piece);
            if (a >= b) continue;
            A* best = best_NC + (d - n) * columns;
            take_largest(sums_NC + (a - t) * columns, b - a, columns, static_cast<int32_t>(a), best,
                         winners_of(d, from));
            spread_not_finite(sums_NC + (a - t) * columns, b - a, columns, best);
          }
          t += piece;
        }
        for (int64_t d = n; d < next; ++d) {
          finish(begin, end, d, best_NC + (d - n) * columns, least.empty() ? nullptr : least.data(), scores_QN,
                 factors_QN);
        }
        n = next;
      }
    });
  }

  // Where the winners of a document for query vectors from `from` on stand.
  int32_t* winners_of(int64_t document, int64_t from) const {
    return winners_NT_ == nullptr ? nullptr : winners_NT_ + document * tokens_ + (from - first_);
  }

  // Of each column the least of its top_k largest products.
  std::vector<A> least_of(const Products<A>& products) const {
    const int64_t columns = products.columns(), tokens = document_tokens();
    std::vector<A> least(columns, -std::numeric_limits<A>::infinity());
    if (tokens <= options_.top_k) return least;
    const at::Tensor all_SC = at::empty({tokens, columns}, queries_.x_TD.options());
    A* all = data<A>(all_SC);
    const int64_t groups = (tokens + kTokens - 1) / kTokens;
    parallel_ranges(groups, parallel_parts(groups, 1), [&](int64_t, int64_t first, int64_t last) {
      for (int64_t g = first; g < last; ++g) {
        const int64_t t = g * kTokens, piece = std::min(kTokens, tokens - t);
        products.multiply(vectors(documents_.offsets.front() + t, piece), piece, all + t * columns);
      }
    });
    parallel_ranges(columns, parallel_parts(columns, 1), [&](int64_t, int64_t first, int64_t last) {
      std::vector<A> column(tokens);
      for (int64_t c = first; c < last; ++c) {
        for (int64_t t = 0; t < tokens; ++t) column[t] = all[t * columns + c];
        const auto kth = column.begin() + (options_.top_k - 1);
        std::nth_element(column.begin(), kth, column.end(), std::greater<A>());
        least[c] = *kth;
      }
    });
    return least;
  }

  // From the best products of a document to its scores, and to what each winner's product was multiplied by.
  void finish(int64_t begin, int64_t end, int64_t document, const A* best_C, const A* least_C, A* scores_QN,
              A* factors_QN) const {
    const int64_t from = queries_.offsets[begin], count = documents_.rows();
    const bool empty = documents_.length(document) == 0;
    int32_t* winners = winners_of(document, from);
    if (empty && winners != nullptr) std::fill(winners, winners + (queries_.offsets[end] - from), -1);
    for (int64_t q = begin; q < end; ++q) {
      const int64_t a = queries_.offsets[q] - from, b = queries_.offsets[q + 1] - from;
      A sum = 0;
      int64_t counted = 0;
      for (int64_t c = a; c < b && !empty; ++c) {
        // Not where either is NaN, so that it comes out.
        if (least_C != nullptr && best_C[c] < least_C[c]) {
          if (winners != nullptr) winners[c] = -1;
          continue;
        }
        sum += best_C[c];
        ++counted;
      }
      const int64_t parts = options_.top_k > 0 ? counted : options_.mean ? b - a : 1;
      const A factor = A(1) / static_cast<A>(std::max<int64_t>(parts, 1));
      if (factors_QN != nullptr) factors_QN[q * count + document] = factor;
      // XTR fills in the number behind the division.
      const A nothing = static_cast<A>(kEmptyDocument) * (options_.top_k > 0 ? A(1) : factor);
      scores_QN[q * count + document] = empty ? nothing : sum * factor;
    }
  }

  const TokenVectors &queries_, &documents_;
  MaxSim options_;
  int32_t* winners_NT_;
  const TokenCodes* codes_;
  int64_t first_, tokens_;
};

template <typename A>
void add_scaled(int64_t width, A factor, const A* from, A* to) {
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) to[i] += factor * from[i];
}

// Of documents with vectors, from the gradients of the scores to those of queries and documents.
template <typename A>
void add_gradients(const TokenVectors& queries, const TokenVectors& documents, const at::Tensor& d_QN,
                   const at::Tensor& factors_QN, const at::Tensor& winners_NT, at::Tensor d_queries_TD,
                   at::Tensor d_documents_SD) {
  const int64_t width = queries.x_TD.size(1), count = documents.rows(), first = queries.offsets.front();
  const int64_t tokens = queries.offsets.back() - first;
  const A *d = data<A>(d_QN), *factors = data<A>(factors_QN);
  const auto* winners = data<int32_t>(winners_NT);
  std::vector<int32_t> query_of(tokens);
  for (int64_t q = 0; q < queries.rows(); ++q) {
    std::fill(query_of.begin() + (queries.offsets[q] - first), query_of.begin() + (queries.offsets[q + 1] - first), q);
  }
  const A *x = data<A>(queries.x_TD), *y = data<A>(documents.x_TD);
  A *d_x = data<A>(d_queries_TD), *d_y = data<A>(d_documents_SD);
  // Each thread has query vectors, then documents, of its own.
  parallel_ranges(tokens, parallel_parts(tokens, 8), [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t n = 0; n < count; ++n) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t at = query_of[t] * count + n;
        const int32_t winner = winners[n * tokens + t];
        if (winner >= 0) add_scaled(width, d[at] * factors[at], y + winner * width, d_x + (first + t) * width);
      }
    }
  });
  parallel_ranges(count, parallel_parts(count, 1), [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      for (int64_t t = 0; t < tokens; ++t) {
        const int64_t at = query_of[t] * count + n;
        const int32_t winner = winners[n * tokens + t];
        if (winner >= 0) add_scaled(width, d[at] * factors[at], x + (first + t) * width, d_y + winner * width);
      }
    }
  });
}

template <typename Work>
void with_arithmetic(at::ScalarType type, const Work& work) {
  if (type == at::kDouble) return work(double{});
  check(type == at::kFloat, "ERR_INVALID_ARGUMENT", "Expected float32 vectors for MaxSim but found ",
        c10::toString(type));
  work(float{});
}

// Vectors, and offsets that live as long as autograd's graph.
struct Kept : torch::CustomClassHolder {
  std::vector<int32_t> queries, documents;
};

void keep(torch::autograd::AutogradContext* context, const TokenVectors& queries, const TokenVectors& documents) {
  const auto kept = c10::make_intrusive<Kept>();
  kept->queries.assign(queries.offsets.begin(), queries.offsets.end());
  kept->documents.assign(documents.offsets.begin(), documents.offsets.end());
  context->saved_data["kept"] = c10::IValue::make_capsule(kept);
}

const Kept& kept_of(torch::autograd::AutogradContext* context) {
  return static_cast<const Kept&>(*context->saved_data["kept"].toCapsule());
}

struct MaxSimFunction : torch::autograd::Function<MaxSimFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& queries_TD,
                            const at::Tensor& documents_SD, const TokenVectors* queries, const TokenVectors* documents,
                            const MaxSim* options) {
    const int64_t rows = queries->rows(), count = documents->rows();
    const int64_t tokens = queries->offsets.back() - queries->offsets.front();
    const TokenVectors q{queries_TD.contiguous(), queries->offsets}, n{documents_SD.contiguous(), documents->offsets};
    const at::Tensor scores_QN = at::empty({rows, count}, queries_TD.options());
    const bool followed = queries_TD.requires_grad() || documents_SD.requires_grad();
    at::Tensor factors_QN, winners_NT;
    if (followed) {
      factors_QN = at::empty({rows, count}, queries_TD.options());
      winners_NT = at::empty({count, tokens}, queries_TD.options().dtype(at::kInt));
    }
    with_arithmetic(queries_TD.scalar_type(), [&]<typename A>(A) {
      Scorer<A>(q, n, *options, data<int32_t>(winners_NT)).run(data<A>(scores_QN), data<A>(factors_QN));
    });
    if (!followed) return scores_QN;
    keep(context, *queries, *documents);
    context->save_for_backward({q.x_TD, n.x_TD, factors_QN, winners_NT});
    return scores_QN;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& d_scores) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const Kept& kept = kept_of(context);
    const at::Tensor d_queries_TD = at::zeros_like(saved[0]), d_documents_SD = at::zeros_like(saved[1]);
    with_arithmetic(saved[0].scalar_type(), [&]<typename A>(A) {
      add_gradients<A>({saved[0], kept.queries}, {saved[1], kept.documents}, d_scores[0].contiguous(), saved[2],
                       saved[3], d_queries_TD, d_documents_SD);
    });
    return {d_queries_TD, d_documents_SD, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

// The scores of row r of the queries with row r of the documents.
struct MaxSimRows : torch::autograd::Function<MaxSimRows> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& queries_TD,
                            const at::Tensor& documents_SD, const TokenVectors* queries, const TokenVectors* documents,
                            const MaxSim* options) {
    const int64_t rows = queries->rows(), first = queries->offsets.front();
    const TokenVectors q{queries_TD.contiguous(), queries->offsets}, n{documents_SD.contiguous(), documents->offsets};
    const at::Tensor scores_R = at::empty({rows}, queries_TD.options());
    const bool followed = queries_TD.requires_grad() || documents_SD.requires_grad();
    at::Tensor factors_R, winners_T;
    if (followed) {
      factors_R = at::empty({rows}, queries_TD.options());
      winners_T = at::empty({queries->offsets.back() - first}, queries_TD.options().dtype(at::kInt));
    }
    with_arithmetic(queries_TD.scalar_type(), [&]<typename A>(A) {
      parallel_ranges(rows, parallel_parts(rows, 1), [&](int64_t, int64_t begin, int64_t end) {
        const at::NoGradGuard no_grad;
        for (int64_t row = begin; row < end; ++row) {
          const TokenVectors query = q.slice(row, row + 1), document = n.slice(row, row + 1);
          int32_t* winners = followed ? data<int32_t>(winners_T) + (queries->offsets[row] - first) : nullptr;
          Scorer<A>(query, document, *options, winners)
              .run(data<A>(scores_R) + row, followed ? data<A>(factors_R) + row : nullptr);
        }
      });
    });
    if (!followed) return scores_R;
    keep(context, *queries, *documents);
    context->save_for_backward({q.x_TD, n.x_TD, factors_R, winners_T});
    return scores_R;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& d_scores) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const Kept& kept = kept_of(context);
    const at::Tensor d_queries_TD = at::zeros_like(saved[0]), d_documents_SD = at::zeros_like(saved[1]);
    const at::Tensor d_R = d_scores[0].contiguous();
    const auto rows = static_cast<int64_t>(kept.queries.size()) - 1;
    with_arithmetic(saved[0].scalar_type(), [&]<typename A>(A) {
      parallel_ranges(rows, parallel_parts(rows, 1), [&](int64_t, int64_t begin, int64_t end) {
        const int64_t first = kept.queries.front();
        for (int64_t row = begin; row < end; ++row) {
          const A factor = data<A>(d_R)[row] * data<A>(saved[2])[row];
          for (int64_t t = kept.queries[row]; t < kept.queries[row + 1]; ++t) {
            const int32_t winner = data<int32_t>(saved[3])[t - first];
            if (winner < 0) continue;
            const int64_t width = saved[0].size(1);
            add_scaled(width, factor, data<A>(saved[1]) + winner * width, data<A>(d_queries_TD) + t * width);
            add_scaled(width, factor, data<A>(saved[0]) + t * width, data<A>(d_documents_SD) + winner * width);
          }
        }
      });
    });
    return {d_queries_TD, d_documents_SD, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

void check_vectors(const TokenVectors& queries, const TokenVectors& documents) {
  for (const TokenVectors* side : {&queries, &documents}) {
    check(!side->offsets.empty() && side->x_TD.dim() == 2 && side->offsets.front() >= 0 &&
              side->offsets.back() <= side->x_TD.size(0) && std::is_sorted(side->offsets.begin(), side->offsets.end()),
          "ERR_INVALID_ARGUMENT", "Expected offsets that rise from 0 to the number of vectors");
  }
  check(queries.x_TD.size(1) == documents.x_TD.size(1), "ERR_INVALID_ARGUMENT", "Expected documents with vectors of ",
        queries.x_TD.size(1), " numbers, as the queries have, but found ", documents.x_TD.size(1));
}

}  // namespace

at::Tensor max_sim(const TokenVectors& queries, const TokenVectors& documents, const MaxSim& options) {
  const ProfileScope scope("max sim");
  check_vectors(queries, documents);
  if (!queries.x_TD.is_cpu()) return reference::max_sim(queries, documents, options);
  return MaxSimFunction::apply(queries.x_TD, documents.x_TD, &queries, &documents, &options);
}

at::Tensor max_sim(const TokenVectors& queries, const TokenCodes& codes, std::span<const int32_t> offsets,
                   const MaxSim& options) {
  const ProfileScope scope("max sim");
  const TokenVectors documents{at::Tensor(), offsets};
  const at::Tensor scores_QN = at::empty({queries.rows(), documents.rows()}, queries.x_TD.options());
  Scorer<float>(queries, documents, options, nullptr, &codes).run(data<float>(scores_QN), nullptr);
  return scores_QN;
}

at::Tensor max_sim_rows(const TokenVectors& queries, const TokenVectors& documents, const MaxSim& options) {
  const ProfileScope scope("max sim");
  check_vectors(queries, documents);
  check(queries.rows() == documents.rows(), "ERR_INVALID_ARGUMENT", "Expected as many documents as queries, ",
        queries.rows(), ", but found ", documents.rows());
  // The best of XTR are those of all documents.
  if (options.top_k > 0 || !queries.x_TD.is_cpu()) return max_sim(queries, documents, options).diagonal();
  return MaxSimRows::apply(queries.x_TD, documents.x_TD, &queries, &documents, &options);
}

}  // namespace st
