"""Where the methods come from, as BibTeX by the key that a method's `cite` names."""

from __future__ import annotations

CITATIONS: dict[str, str] = {
    "easgd": """@inproceedings{zhang2015easgd,
  title     = {Deep learning with Elastic Averaging {SGD}},
  author    = {Zhang, Sixin and Choromanska, Anna and LeCun, Yann},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {28},
  year      = {2015}
}""",
    "thesis": """@phdthesis{zhang2016distributed,
  title  = {Distributed stochastic optimization for deep learning},
  author = {Zhang, Sixin},
  school = {New York University},
  year   = {2016},
  note   = {arXiv:1605.02216}
}""",
    "dynamic-weighting": """@misc{xu2024dynamic,
  title  = {A Dynamic Weighting Strategy to Mitigate Worker Node Failure in Distributed Deep Learning},
  author = {Xu, Yuesheng and Carr, Arielle},
  year   = {2024},
  note   = {arXiv:2409.09242}
}""",
    "springline": """@software{springline,
  author = {{The Springline authors}},
  title = {Springline: training {PyTorch} models on workers that fail, stall, lag and come back},
  year  = {2026}
}""",
    "downpour": """@inproceedings{dean2012large,
  title     = {Large Scale Distributed Deep Networks},
  author    = {Dean, Jeffrey and Corrado, Greg and Monga, Rajat and Chen, Kai and Devin, Matthieu and Mao, Mark and
               Ranzato, Marc'Aurelio and Senior, Andrew and Tucker, Paul and Yang, Ke and Le, Quoc and Ng, Andrew},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {25},
  year      = {2012}
}""",
    "dana": """@misc{hakimi2018dana,
  title  = {{DANA}: Scalable Out-of-the-box Distributed {ASGD} Without Retuning},
  author = {Hakimi, Ido and Barkai, Saar and Gabel, Moshe and Schuster, Assaf},
  year   = {2018},
  note   = {https://openreview.net/forum?id=SkGQujR5FX}
}""",
    "dc-asgd": """@inproceedings{zheng2017asynchronous,
  title     = {Asynchronous Stochastic Gradient Descent with Delay Compensation},
  author    = {Zheng, Shuxin and Meng, Qi and Wang, Taifeng and Chen, Wei and Yu, Nenghai and Ma, Zhi-Ming and
               Liu, Tie-Yan},
  booktitle = {International Conference on Machine Learning},
  year      = {2017},
  note      = {arXiv:1609.08326}
}""",
    "staleness-aware": """@inproceedings{zhang2016staleness,
  title     = {Staleness-aware Async-{SGD} for Distributed Deep Learning},
  author    = {Zhang, Wei and Gupta, Suyog and Lian, Xiangru and Liu, Ji},
  booktitle = {International Joint Conference on Artificial Intelligence},
  year      = {2016},
  note      = {arXiv:1511.05950}
}""",
    "ssgd": """@misc{chen2016revisiting,
  title  = {Revisiting Distributed Synchronous {SGD}},
  author = {Chen, Jianmin and Pan, Xinghao and Monga, Rajat and Bengio, Samy and Jozefowicz, Rafal},
  year   = {2016},
  note   = {arXiv:1604.00981}
}""",
    "sgd": """@article{robbins1951stochastic,
  title   = {A stochastic approximation method},
  author  = {Robbins, Herbert and Monro, Sutton},
  journal = {The Annals of Mathematical Statistics},
  volume  = {22},
  number  = {3},
  pages   = {400--407},
  year    = {1951}
}""",
    "averaging": """@article{polyak1992acceleration,
  title   = {Acceleration of stochastic approximation by averaging},
  author  = {Polyak, Boris T. and Juditsky, Anatoli B.},
  journal = {SIAM Journal on Control and Optimization},
  volume  = {30},
  number  = {4},
  pages   = {838--855},
  year    = {1992}
}""",
    "nesterov": """@article{nesterov1983method,
  title   = {A method of solving a convex programming problem with convergence rate {O}(1/k^2)},
  author  = {Nesterov, Yurii},
  journal = {Soviet Mathematics Doklady},
  volume  = {27},
  pages   = {372--376},
  year    = {1983}
}""",
}
