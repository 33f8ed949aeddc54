"""The encoder of ALBERT in ONNX: embeddings, and every layer written out with the one stored copy of its weights.

Letters: B rows, L places, E embedding size, H hidden size, N heads, D width of a head.
"""

from albertkit.config import AlbertConfig
from albertkit.exports.to_onnx.activations import activation
from albertkit.exports.to_onnx.graph import Graph
from albertkit.exports.to_onnx.products import Products
from albertkit.rules import NO_SCORE


class Encoder:
    """The nodes of the encoder."""

    def __init__(self, graph: Graph, products: Products, config: AlbertConfig) -> None:
        self.graph, self.products, self.config = graph, products, config

    def states(self, ids: str, mask: str, types: str, only_first: bool = False) -> str:
        """(B, L) int64 each -> the last hidden states (B, L, H); with `only_first` those of first tokens, (B, 1, H)."""
        x = self._embeddings(ids, types)
        with self.graph.scope("encoder"):
            x = self.products.dense(x, "albert.encoder.embedding_hidden_mapping_in")
            bias = self._bias(mask)
            runs = [
                f"albert.encoder.albert_layer_groups.{group}.albert_layers.{inner}"
                for group in self.config.group_of_layer
                for inner in range(self.config.inner_group_num)
            ]
            for number, name in enumerate(runs, start=1):
                with self.graph.scope(f"layer_{number}"):
                    x = self._layer(x, bias, name, only_first and number == len(runs))
        return x

    def pooled(self, states: str) -> str:
        """Hidden states (B, L or 1, H) -> the pooled state (B, H), of the first token."""
        with self.graph.scope("pooler"):
            first = self.graph.op("Gather", states, self.graph.numbers(0), axis=1)
            first = self.graph.op("Squeeze", first, self.graph.numbers(1))
            return self.graph.op("Tanh", self.products.dense(first, "albert.pooler"))

    def norm(self, x: str, name: str) -> str:
        """The norm over the last axis."""
        weights = (self.products.weight(f"{name}.{part}") for part in ("weight", "bias"))
        return self.graph.op("LayerNormalization", x, *weights, axis=-1, epsilon=self.config.layer_norm_eps)

    def _embeddings(self, ids: str, types: str) -> str:
        graph, prefix = self.graph, "albert.embeddings"
        with graph.scope("embeddings"):
            words = self.products.words(ids)
            kinds = graph.op("Gather", self.products.weight(f"{prefix}.token_type_embeddings.weight"), types, axis=0)
            table = self.products.weight(f"{prefix}.position_embeddings.weight")
            length = graph.op("Shape", ids, start=1, end=2)
            places = graph.op("Slice", table, graph.numbers(0), length, graph.numbers(0))
            return self.norm(graph.op("Add", graph.op("Add", words, kinds), places), f"{prefix}.LayerNorm")

    def _bias(self, mask: str) -> str:
        """(B, 1, 1, L): 0 for a token, and next to no score where there is none."""
        graph = self.graph
        is_token = graph.op("Cast", graph.op("Unsqueeze", mask, graph.numbers(1, 2)), to=9)
        return graph.op("Where", is_token, graph.number(0), graph.number(NO_SCORE))

    def _layer(self, x: str, bias: str, name: str, only_first: bool) -> str:
        """(B, L, H) -> the same, or (B, 1, H) where only first tokens are wanted, which attend to all others."""
        graph, products = self.graph, self.products
        with graph.scope("attention"):
            asked = graph.op("Slice", x, graph.numbers(0), graph.numbers(1), graph.numbers(1)) if only_first else x
            context = self._attention(asked, x, bias, f"{name}.attention")
            x = graph.op("Add", asked, products.dense(context, f"{name}.attention.dense"))
            x = self.norm(x, f"{name}.attention.LayerNorm")
        with graph.scope("ffn"):
            fed = activation(self.config.hidden_act)(graph, products.dense(x, f"{name}.ffn"))
            fed = products.dense(fed, f"{name}.ffn_output")
            return self.norm(graph.op("Add", fed, x), f"{name}.full_layer_layer_norm")

    def _attention(self, asked: str, x: str, bias: str, name: str) -> str:
        graph, heads = self.graph, self.config.num_attention_heads
        width = self.config.hidden_size // heads
        query = self._heads(self.products.dense(asked, f"{name}.query"), (0, 2, 1, 3))
        key = self._heads(self.products.dense(x, f"{name}.key"), (0, 2, 3, 1))
        value = self._heads(self.products.dense(x, f"{name}.value"), (0, 2, 1, 3))
        scores = graph.op("Mul", graph.op("MatMul", query, key), graph.number(width**-0.5))
        chances = graph.op("Softmax", graph.op("Add", scores, bias), axis=-1)
        context = graph.op("Transpose", graph.op("MatMul", chances, value), perm=(0, 2, 1, 3))
        return graph.op("Reshape", context, graph.numbers(0, 0, self.config.hidden_size))

    def _heads(self, x: str, order: tuple[int, ...]) -> str:
        """(B, L, H) -> (B, L, N, D) with its axes in another order."""
        heads = self.config.num_attention_heads
        apart = self.graph.op("Reshape", x, self.graph.numbers(0, 0, heads, self.config.hidden_size // heads))
        return self.graph.op("Transpose", apart, perm=order)
