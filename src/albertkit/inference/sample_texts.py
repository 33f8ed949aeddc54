"""Texts to try a model on where no others are given, in the language that its vocabulary knows best."""

import numpy as np

from albertkit.tokenization.base import AlbertTokenizerBase

TEXTS = {
    "English": (
        "The train was late again, so we walked along the river until it came.",
        "Prices rose by three percent in March, the bank said on Tuesday.",
        "I would not buy this phone a second time.",
        "Her first novel was written in a small kitchen in Lisbon.",
        "What time does the museum close on Sundays?",
        "The soup was cold and the waiter forgot our drinks, but the view made up for it.",
        "Water boils at a lower temperature in the mountains.",
        "After the storm, volunteers cleared the roads and brought food to the village.",
        "He plays the violin better than anyone I have ever heard.",
        "The committee will meet in Geneva to discuss the new treaty.",
        "Please restart the computer before you install the update.",
        "A slow film, and yet I could not look away.",
        "Scientists found a new kind of frog in the forest last year.",
        "The contract ends in June unless both sides agree to renew it.",
        "My grandmother grew tomatoes behind the house and sold them at the market.",
        "Nobody knew why the lights had gone out.",
    ),
    "Chinese": (
        "昨天晚上下了一场大雨，今天的空气很好。",
        "这家餐厅的菜很好吃，但是服务员态度不好。",
        "科学家在南方的森林里发现了一种新的青蛙。",
        "请问博物馆星期天几点关门？",
        "这部手机我不会再买第二次。",
        "公司宣布今年的利润比去年增加了百分之三。",
        "她的第一本小说是在一个小厨房里写成的。",
        "水在高山上沸腾的温度比较低。",
        "火车又晚点了，我们只好沿着河边慢慢走。",
        "委员会将在日内瓦讨论新的条约。",
    ),
    "Japanese": (
        "昨日の夜は大雨が降ったが、今朝は空気がきれいだ。",
        "この店の料理はおいしいけれど、店員の態度がよくなかった。",
        "科学者たちは南の森で新しい種類のカエルを見つけた。",
        "日曜日に博物館は何時に閉まりますか。",
        "この電話を二度と買うことはないと思う。",
        "会社は今年の利益が去年より三パーセント増えたと発表した。",
        "彼女の最初の小説は小さな台所で書かれた。",
        "山の上では水はもっと低い温度で沸騰する。",
        "電車がまた遅れたので、川に沿って歩くことにした。",
        "委員会はジュネーブで新しい条約について話し合う。",
    ),
}
"""Sentences by language."""
KNOWN = 0.8
"""The share of pieces that a vocabulary must know of a language."""
ROWS = 48
"""Texts of one to six sentences."""


def of_model(tokenizer: AlbertTokenizerBase) -> tuple[list[str], str]:
    """Texts of one or several sentences, and what they are.

    Where the vocabulary is of none of these languages, its own pieces in random order.
    """
    shares = {language: _known(tokenizer, texts) for language, texts in TEXTS.items()}
    language = max(shares, key=shares.__getitem__)
    if shares[language] < KNOWN:
        return _of_vocabulary(tokenizer), "texts of random pieces of the vocabulary"
    sentences = TEXTS[language]
    return [
        " ".join(sentences[(row + number) % len(sentences)] for number in range(1 + row % 6)) for row in range(ROWS)
    ], f"built-in texts in {language}"


def _known(tokenizer: AlbertTokenizerBase, texts: tuple[str, ...]) -> float:
    rows = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    pieces = [piece for row in rows for piece in row]
    return 1 - pieces.count(tokenizer.unk_token_id) / max(len(pieces), 1)


def _of_vocabulary(tokenizer: AlbertTokenizerBase) -> list[str]:
    rng = np.random.default_rng(0)
    pieces = sorted(set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens))
    words = [piece.replace("▁", " ").replace("##", "") for piece in pieces]
    return ["".join(rng.choice(words, 8 * (1 + row % 6))) for row in range(ROWS)]
